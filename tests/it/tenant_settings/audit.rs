//! Every change is written down, and only operators make or see one.

use super::{running_limits, set, text};
use crate::{
    calls::{refused, tenant},
    support::TestDb,
};

#[tokio::test]
async fn every_change_is_written_down_with_who_what_and_why() {
    let db = TestDb::new().await;
    let operator = db.operator().await;
    let one = format!("'{}'", tenant(1));
    for call in [
        format!("fairclaim.set_weight({one}, 3, 'mail', 'pays more')"),
        format!("fairclaim.set_weight({one}, 4, 'mail')"),
        format!("fairclaim.set_limit({one}, 5)"),
        "fairclaim.set_default_limit(6)".to_owned(),
        "fairclaim.set_queue_limit('mail', 7)".to_owned(),
        format!("fairclaim.set_quota({one}, 8)"),
        "fairclaim.set_default_quota(9)".to_owned(),
        "fairclaim.pause_queue('mail')".to_owned(),
        "fairclaim.resume_queue('mail')".to_owned(),
        format!("fairclaim.pause_tenant({one}, 'unpaid')"),
        format!("fairclaim.resume_tenant({one}, 'paid')"),
        "fairclaim.declare_limits('{\"default\": {\"max_running\": 1}}', p_why => 'build 7')"
            .to_owned(),
    ] {
        set(&operator, &call).await;
    }
    let sql = "select string_agg(concat_ws(' ', what, subject, queue, old_value, new_value, why, many), '; ')
                 from fairclaim.list_audit() where who = 'test_operator' and (tenant_id is null or tenant_id = '7e4a0000-0000-4000-8000-000000000001')";
    let expected = [
        "declare_limits all build 7 1",
        "resume_tenant tenant 1 paid 1",
        "pause_tenant tenant 1 unpaid 1",
        "resume_queue queue mail 1 1",
        "pause_queue queue mail 1 1",
        "set_default_quota default 9 1",
        "set_quota tenant 8 1",
        "set_queue_limit queue mail 7 1",
        "set_default_limit default 6 1",
        "set_limit tenant 5 1",
        "set_weight tenant mail 3 4 1",
        "set_weight tenant mail 3 pays more 1",
    ];
    assert_eq!(text(&operator, sql).await, expected.join("; "));
    let page = "select string_agg(what, ' ') from fairclaim.list_audit(2, (select min(audit_id) + 3 from fairclaim.list_audit()))";
    assert_eq!(text(&operator, page).await, "set_limit set_weight");
}

#[tokio::test]
async fn only_operators_set_and_see_settings() {
    let db = TestDb::new().await;
    let one = format!("'{}'", tenant(1));
    let calls = [
        format!("fairclaim.set_weight({one}, 3)"),
        format!("fairclaim.set_limit({one}, 5)"),
        "fairclaim.set_default_limit(6)".to_owned(),
        "fairclaim.set_queue_limit('mail', 7)".to_owned(),
        format!("fairclaim.set_quota({one}, 8)"),
        "fairclaim.set_default_quota(9)".to_owned(),
        format!("fairclaim.pause_tenant({one})"),
        format!("fairclaim.resume_tenant({one})"),
        "fairclaim.declare_limits('{}')".to_owned(),
        "fairclaim.declare_limits('{}', true)".to_owned(),
        "fairclaim.show_limits()".to_owned(),
        "fairclaim.list_audit()".to_owned(),
    ];
    for session in [
        db.producer().await,
        db.worker().await,
        db.tenant().await,
        db.auditor().await,
        db.stranger().await,
    ] {
        for call in &calls {
            let sql = format!("select * from {call}");
            refused(session.query(&sql, &[]).await, "42501");
        }
    }
    assert_eq!(running_limits(&db.owner().await).await, []);
    let plain = db.plain_operator().await;
    for call in &calls {
        let sql = format!("select * from {call}");
        plain.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
