use super::{Stage, all_steps};
use crate::calls::{refused, settle_all, tenant, tick};

#[tokio::test]
async fn what_waits_of_one_tenant_is_cancelled_and_nothing_else() {
    let stage = Stage::set().await;
    stage.dispatch(1, "default", 30).await;
    let running = stage.claim("default", 4).await;
    stage.dispatch(1, "other", 3).await;
    stage.delayed(1, "default", 5).await;
    stage.dispatch(2, "default", 12).await;
    let before = stage.everything(2).await;
    let call = format!(
        "select * from fairclaim.cancel_waiting('{}', p_queue => 'default', p_after => $1, p_limit => 7, p_why => 'flood')",
        tenant(1)
    );
    assert_eq!(all_steps(&stage.operator, &call, "cancelled").await, 31);
    let stands = ["default cancelled 31", "default processing 4", "other pending 3"];
    assert_eq!(stage.stands(1).await, stands);
    assert_eq!(stage.everything(2).await, before, "another tenant was touched");
    settle_all(&stage.worker, &running, "complete").await;
    stage.one_place_each().await;
    assert_eq!(all_steps(&stage.operator, &call, "cancelled").await, 0);
    let sql = "select sum(many)::int, min(why), min(who) from fairclaim_internal.audit where what = 'cancel_waiting'";
    let row = stage.owner.query_one(sql, &[]).await.expect("audit");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (31, "flood"));
    assert_eq!(row.get::<_, &str>(2), "test_operator");
}

#[tokio::test]
async fn filters_leave_the_others_and_a_locked_job_is_passed() {
    let stage = Stage::set().await;
    stage.dispatch(1, "default", 10).await;
    stage.db.advance("1 day").await;
    tick(&stage.worker).await;
    stage.dispatch(1, "default", 5).await;
    let holder = stage.db.owner().await;
    holder.batch_execute("begin").await.expect("begin");
    let lock = "select id from fairclaim_internal.ready where tenant_id = $1 order by id limit 1 for update";
    holder.query_one(lock, &[&tenant(1)]).await.expect("a lock");
    let old = "select * from fairclaim.cancel_waiting($1, p_older_than => 3600)";
    let row = stage.operator.query_one(old, &[&tenant(1)]).await.expect("cancel_waiting");
    let counts = |row: &tokio_postgres::Row| -> (i32, i32, i32) {
        (row.get("looked"), row.get("cancelled"), row.get("passed"))
    };
    assert_eq!(counts(&row), (15, 9, 1));
    holder.batch_execute("rollback").await.expect("rollback");
    let row = stage.operator.query_one(old, &[&tenant(1)]).await.expect("cancel_waiting");
    assert_eq!(counts(&row), (15, 1, 0));
    assert_eq!(stage.stands(1).await, ["default cancelled 10", "default pending 5"]);
}

#[tokio::test]
async fn a_call_without_a_tenant_or_out_of_range_changes_nothing() {
    let stage = Stage::set().await;
    stage.dispatch(1, "default", 2).await;
    let before = stage.everything(1).await;
    let id = tenant(1);
    for (call, code) in [
        ("cancel_waiting(null)".to_owned(), "JQ002"),
        (format!("cancel_waiting('{id}', p_limit => 0)"), "JQ004"),
        (format!("cancel_waiting('{id}', p_limit => 10001)"), "JQ004"),
        (format!("cancel_waiting('{id}', p_older_than => -1)"), "JQ004"),
        (format!("cancel_waiting('{id}', p_why => '')"), "JQ004"),
        (format!("retry_failed('{id}', p_per_second => 0)"), "JQ004"),
        (format!("retry_failed('{id}', p_per_second => 'NaN')"), "JQ004"),
        (format!("retry_failed('{id}', p_start_at => 'infinity')"), "JQ004"),
        (format!("move_waiting('{id}', 'default', 'default')"), "JQ004"),
        (format!("move_waiting('{id}', 'default', 'No Name')"), "JQ004"),
        (format!("move_waiting('{id}', null, 'other')"), "JQ004"),
        ("purge_tenant(null)".to_owned(), "JQ002"),
        (format!("purge_tenant('{id}', p_limit => null)"), "JQ004"),
        (format!("export_tenant('{id}', p_payloads => null)"), "JQ004"),
        (format!("count_tenant('{id}', 0)"), "JQ004"),
        (format!("set_retention('{id}', 3599)"), "JQ004"),
        (format!("set_retention('{id}', 'infinity')"), "JQ004"),
        ("show_quotas(p_limit => 0)".to_owned(), "JQ004"),
    ] {
        let sql = format!("select * from fairclaim.{call}");
        refused(stage.operator.query(&sql, &[]).await, code);
        let nobody = refused(stage.producer.query(&sql, &[]).await, "42501");
        assert!(!nobody.message().is_empty());
    }
    assert_eq!(stage.everything(1).await, before);
}
