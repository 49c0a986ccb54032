//! An operator's change goes before what was declared, with who, why and until when, and is taken back with one call.

use serde_json::{Value, json};

use super::{everything, layers, running_limits, set, text};
use crate::{
    calls::{dispatch, refused, tenant, tick},
    support::TestDb,
};

/// Every function that sets a number: what comes before it, its least and its greatest value, and whose answer it has.
const SETTERS: [(&str, i64, i64, &str); 6] = [
    ("fairclaim.set_weight('7e4a0000-0000-4000-8000-000000000001', ", 1, 100, "weight"),
    ("fairclaim.set_limit('7e4a0000-0000-4000-8000-000000000001', ", 0, 1_000_000, "max_running"),
    ("fairclaim.set_default_limit(", 0, 1_000_000, "max_running"),
    ("fairclaim.set_queue_limit('mail', ", 0, 1_000_000, "max_running"),
    (
        "fairclaim.set_quota('7e4a0000-0000-4000-8000-000000000001', ",
        0,
        2_000_000_000,
        "max_waiting",
    ),
    ("fairclaim.set_default_quota(", 0, 2_000_000_000, "max_waiting"),
];

#[tokio::test]
async fn every_number_is_set_within_its_bounds_and_taken_away_with_null() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    for (call, minimum, maximum, field) in SETTERS {
        let kind = field.trim_start_matches("max_");
        for value in [minimum, maximum] {
            let row = set(&operator, &format!("{call}{value})")).await;
            let value = i32::try_from(value).expect("an int");
            assert_eq!(layers(&row), (None, Some(value), Some(value)), "{call}");
            assert_eq!(row.get::<_, &str>("kind"), kind);
        }
        let before = everything(&owner).await;
        for value in [minimum - 1, maximum + 1, -1, i64::from(i32::MIN), i64::from(i32::MAX)] {
            let sql = format!("select * from {call}{value})");
            let error = refused(operator.query(&sql, &[]).await, "JQ004");
            let told: Value =
                serde_json::from_str(error.detail().unwrap_or_default()).expect("JSON");
            let argument = format!("p_{field}");
            let bounds = json!({"argument": argument, "field": field, "minimum": minimum, "maximum": maximum});
            assert_eq!(told, bounds, "{sql}");
        }
        assert_eq!(everything(&owner).await, before, "a refusal changes nothing");
        let row = set(&operator, &format!("{call}null)")).await;
        assert_eq!(layers(&row), (None, None, None), "{call}");
        assert_eq!(row.get::<_, Option<&str>>("set_by"), None);
    }
    assert_eq!(running_limits(&owner).await, []);
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_and_changes_nothing() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let one = "'7e4a0000-0000-4000-8000-000000000001'";
    for (call, code, field) in [
        ("fairclaim.set_weight(null, 1)".to_owned(), "JQ002", "tenant_id"),
        ("fairclaim.set_limit(null, 1)".to_owned(), "JQ002", "tenant_id"),
        ("fairclaim.set_quota(null, 1)".to_owned(), "JQ002", "tenant_id"),
        ("fairclaim.pause_tenant(null)".to_owned(), "JQ002", "tenant_id"),
        ("fairclaim.resume_tenant(null)".to_owned(), "JQ002", "tenant_id"),
        ("fairclaim.set_queue_limit(null, 1)".to_owned(), "JQ004", "queue"),
        ("fairclaim.set_queue_limit('', 1)".to_owned(), "JQ004", "queue"),
        (format!("fairclaim.set_limit({one}, 1, 'Mail')"), "JQ004", "queue"),
        (format!("fairclaim.set_limit({one}, 1, '')"), "JQ004", "queue"),
        (format!("fairclaim.set_limit({one}, null, p_until => 'tomorrow')"), "JQ004", "until"),
        (format!("fairclaim.set_limit({one}, 1, p_until => fairclaim.clock())"), "JQ004", "until"),
        (format!("fairclaim.set_limit({one}, 1, p_until => 'infinity')"), "JQ004", "until"),
        (format!("fairclaim.pause_tenant({one}, p_until => 'yesterday')"), "JQ004", "until"),
        (format!("fairclaim.set_limit({one}, 1, p_why => repeat('m', 1001))"), "JQ004", "why"),
        ("fairclaim.show_limits(p_limit => 0)".to_owned(), "JQ004", "limit"),
        ("fairclaim.list_audit(10001)".to_owned(), "JQ004", "limit"),
    ] {
        let error = refused(operator.query(&format!("select {call}"), &[]).await, code);
        let told: Value = serde_json::from_str(error.detail().unwrap_or_default()).expect("JSON");
        assert_eq!(told["field"], field, "{call}");
    }
    operator.batch_execute("begin isolation level repeatable read").await.expect("begin");
    let sql = format!("select fairclaim.set_limit({one}, 1)");
    refused(operator.query(&sql, &[]).await, "JQ004");
    operator.batch_execute("rollback").await.expect("rollback");
    assert_eq!(everything(&owner).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_override_goes_before_the_base_until_it_is_taken_away() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let declare = |limit: i32| {
        json!({"tenants": {tenant(1).to_string(): {"max_running": limit}}}).to_string()
    };
    let one = format!("'{}'", tenant(1));
    let in_force = async || running_limits(&owner).await[0].3;

    set(&operator, &format!("fairclaim.declare_limits('{}', p_why => 'build 7')", declare(8)))
        .await;
    assert_eq!(in_force().await, 8);
    let row = set(&operator, &format!("fairclaim.set_limit({one}, 2, p_why => 'it floods')")).await;
    assert_eq!((layers(&row), in_force().await), ((Some(8), Some(2), Some(2)), 2));
    assert_eq!(row.get::<_, &str>("why"), "it floods");
    assert_eq!(row.get::<_, &str>("set_by"), "test_operator");

    // another deployment changes the base, and the override stays
    set(&operator, &format!("fairclaim.declare_limits('{}')", declare(20))).await;
    assert_eq!(in_force().await, 2);
    let row = set(&operator, &format!("fairclaim.set_limit({one}, null)")).await;
    assert_eq!((layers(&row), in_force().await), ((Some(20), None, Some(20)), 20));
}

#[tokio::test]
async fn an_override_ends_by_itself_with_the_tick_after_its_time() {
    let db = TestDb::with_test_clock().await;
    let (operator, owner, worker) = (db.operator().await, db.owner().await, db.worker().await);
    let one = format!("'{}'", tenant(1));
    let in_an_hour = "p_until => fairclaim.clock() + interval '1 hour'";
    let base = json!({"tenants": {tenant(1).to_string(): {"weight": 2, "max_running": 8, "max_waiting": 10}}});
    set(&operator, &format!("fairclaim.declare_limits('{base}')")).await;
    for call in [
        format!("fairclaim.set_weight({one}, 7, {in_an_hour})"),
        format!("fairclaim.set_limit({one}, 1, {in_an_hour})"),
        format!("fairclaim.set_limit({one}, 1, 'mail', {in_an_hour})"),
        format!("fairclaim.set_quota({one}, 1, {in_an_hour})"),
        format!("fairclaim.pause_tenant({one}, {in_an_hour})"),
    ] {
        set(&operator, &call).await;
    }
    let forced = "select concat_ws(' ', (select string_agg(weight::text, ',') from fairclaim_internal.tenant_weight),
        (select string_agg(queue || max_running, ',' order by queue) from fairclaim_internal.running_limit),
        (select string_agg(max_waiting::text, ',') from fairclaim_internal.waiting_limit))";
    tick(&worker).await;
    assert_eq!(text(&owner, forced).await, "7 0,mail1 1");

    db.advance("1 hour 1 second").await;
    let shown =
        format!("select string_agg(kind || in_force, ' ') from fairclaim.show_limits({one})");
    assert_eq!(text(&operator, &shown).await, "running8 waiting10 weight2", "before the tick");
    // while somebody changes settings, a tick leaves them alone and does not wait
    let other = db.operator().await;
    other.batch_execute("begin").await.expect("begin");
    set(&other, "fairclaim.set_default_limit(5)").await;
    tick(&worker).await;
    assert_eq!(text(&owner, forced).await, "7 0,mail1 1");
    other.batch_execute("rollback").await.expect("rollback");
    tick(&worker).await;
    assert_eq!(text(&owner, forced).await, "2 8 10");
    let told =
        "select count(*) || min(who) || min(what) from fairclaim_internal.audit where who = 'tick'";
    assert_eq!(text(&owner, told).await, "5tickend_override");
}

#[tokio::test]
async fn a_misspelt_tenant_or_queue_shows_and_is_no_error() {
    let db = TestDb::new().await;
    let (operator, producer) = (db.operator().await, db.producer().await);
    dispatch(&producer, tenant(1), "mail").await;
    let seen = async |call: &str| -> (Option<bool>, Option<bool>) {
        let row = set(&operator, call).await;
        (row.get("known"), row.get("in_use"))
    };
    let (one, two) = (tenant(1), tenant(2));
    assert_eq!(
        seen(&format!("fairclaim.set_limit('{one}', 1, 'default')")).await,
        (Some(true), Some(true))
    );
    assert_eq!(
        seen(&format!("fairclaim.set_limit('{one}', 1, 'defualt')")).await,
        (Some(true), Some(false))
    );
    assert_eq!(seen(&format!("fairclaim.set_weight('{two}', 1)")).await, (Some(false), None));
    assert_eq!(seen("fairclaim.set_queue_limit('defualt', 1)").await, (None, Some(false)));
    assert_eq!(seen("fairclaim.set_default_quota(5)").await, (None, None));
}

#[tokio::test]
async fn a_quota_says_whether_it_refuses() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let forced = "select subject || max_waiting || refuses from fairclaim_internal.waiting_limit";
    for (last, refuses) in
        [("", true), (", p_refuses => false", false), (", p_refuses => null", true)]
    {
        let row = set(&operator, &format!("fairclaim.set_default_quota(5{last})")).await;
        assert_eq!(row.get::<_, bool>("refuses"), refuses);
        assert_eq!(text(&owner, forced).await, format!("default5{refuses}"));
    }
}

#[tokio::test]
async fn a_limit_that_changes_keeps_its_row() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let one = format!("'{}'", tenant(1));
    set(&operator, &format!("fairclaim.set_limit({one}, 5)")).await;
    let mark = "update fairclaim_internal.running_limit set seen = 3, active = true";
    owner.execute(mark, &[]).await.expect(mark);
    set(&operator, &format!("fairclaim.set_limit({one}, 6)")).await;
    set(&operator, &format!("fairclaim.pause_tenant({one})")).await;
    let kept = "select max_running || ' ' || seen || active from fairclaim_internal.running_limit";
    assert_eq!(text(&owner, kept).await, "0 3true");
}

#[tokio::test]
async fn a_tenant_is_shown_with_the_defaults_that_apply_to_it() {
    let db = TestDb::new().await;
    let operator = db.operator().await;
    for call in [
        "fairclaim.set_default_limit(5)",
        "fairclaim.set_default_limit(2, 'mail')",
        "fairclaim.set_default_quota(1000)",
        "fairclaim.set_queue_limit('mail', 100)",
    ] {
        set(&operator, call).await;
    }
    for n in 1..=3 {
        set(&operator, &format!("fairclaim.set_limit('{}', {n}, 'mail')", tenant(n))).await;
    }
    let shown = async |arguments: &str| {
        let sql = "select string_agg(concat_ws(':', subject, right(tenant_id::text, 1), queue, kind, in_force), ' ')";
        text(&operator, &format!("{sql} from fairclaim.show_limits({arguments})")).await
    };
    let one = tenant(1);
    assert_eq!(
        shown(&format!("'{one}'")).await,
        "default:running:5 default:waiting:1000 tenant:1:mail:running:1"
    );
    assert_eq!(
        shown(&format!("'{one}', 'mail'")).await,
        "default:running:5 default:waiting:1000 queue:mail:running:100 tenant:1:mail:running:1"
    );
    assert_eq!(shown(&format!("'{one}', 'other'")).await, "default:running:5 default:waiting:1000");
    assert_eq!(
        shown("p_limit => 2").await,
        "default:running:5 default:waiting:1000 default:mail:running:2 queue:mail:running:100 tenant:1:mail:running:1 tenant:2:mail:running:2"
    );
    assert_eq!(shown(&format!("p_after => '{}'", tenant(2))).await, "tenant:3:mail:running:3");
}
