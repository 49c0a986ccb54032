use serde_json::json;

use super::{Stage, all_steps};
use crate::calls::{dispatch_object, refused, settle_all, tenant};

fn call(n: u128) -> String {
    format!(
        "select * from fairclaim.purge_tenant('{}', p_after => $1, p_limit => 8, p_why => 'left')",
        tenant(n)
    )
}

#[tokio::test]
async fn everything_of_a_tenant_goes_and_another_is_untouched() {
    let stage = Stage::set().await;
    for n in [1, 2] {
        stage.failed(n, 9).await;
        stage.dispatch(n, "default", 20).await;
        stage.delayed(n, "default", 3).await;
        stage
            .operator
            .query("select fairclaim.set_retention($1, 7200)", &[&tenant(n)])
            .await
            .expect("set_retention");
        stage
            .operator
            .query("select fairclaim.drain_tenant($1)", &[&tenant(n)])
            .await
            .expect("drain_tenant");
    }
    let others = stage.everything(2).await;
    let count =
        "select jobs, waiting, scheduled, ended, settings, more from fairclaim.count_tenant($1)";
    let counted = |row: &tokio_postgres::Row| -> [i32; 5] { std::array::from_fn(|n| row.get(n)) };
    let row = stage.operator.query_one(count, &[&tenant(1)]).await.expect("count_tenant");
    assert_eq!((counted(&row), row.get::<_, bool>("more")), ([32, 20, 3, 9, 1], false));
    assert_eq!(all_steps(&stage.operator, &call(1), "jobs").await, 32);
    let nothing = json!({"job": null, "ready": null, "scheduled": null, "running": null, "finished": null, "errors": null});
    assert_eq!(stage.everything(1).await, nothing);
    assert_eq!(stage.everything(2).await, others);
    let left = "select (select count(*) from fairclaim_internal.waiting_limit where tenant_id = $1) + (select count(*) from fairclaim_internal.tenant_retention where tenant_id = $1)";
    for (n, rows) in [(1, 0), (2, 2)] {
        let row = stage.owner.query_one(left, &[&tenant(n)]).await.expect("left");
        assert_eq!(row.get::<_, i64>(0), rows, "settings of tenant {n}");
    }
    let sql = "select sum(many)::int from fairclaim_internal.audit where what = 'purge_tenant' and why = 'left' and tenant_id = $1";
    assert_eq!(
        stage.owner.query_one(sql, &[&tenant(1)]).await.expect("audit").get::<_, i32>(0),
        32
    );
}

/// A purge whose session is gone in the middle of a step has done the steps before it, whole, and the next one finds less.
#[tokio::test]
async fn a_purge_that_was_killed_goes_on_where_it_was() {
    let stage = Stage::set().await;
    stage.dispatch(1, "default", 20).await;
    stage.failed(2, 1).await;
    let row = stage.operator.query_one(&call(1), &[&None::<uuid::Uuid>]).await.expect("a step");
    assert_eq!((row.get::<_, i32>("jobs"), row.get::<_, bool>("more")), (8, true));
    let killed = stage.db.direct_session("test_operator").await;
    let pid: i32 = killed.query_one("select pg_backend_pid()", &[]).await.expect("pid").get(0);
    killed.batch_execute("begin").await.expect("begin");
    let next: uuid::Uuid = row.get("next");
    let row = killed.query_one(&call(1), &[&next]).await.expect("a step that is lost");
    assert_eq!(row.get::<_, i32>("jobs"), 8);
    let end = "select pg_terminate_backend($1)";
    stage.db.superuser().await.query_one(end, &[&pid]).await.expect("killed");
    crate::support::waiting::until_open_transactions_end(&stage.owner).await;
    assert_eq!(all_steps(&stage.operator, &call(1), "jobs").await, 12);
    assert_eq!(stage.stands(1).await, Vec::<String>::new());
    stage.one_place_each().await;
}

#[tokio::test]
async fn a_running_job_is_left_until_it_ends_and_the_settings_with_it() {
    let stage = Stage::set().await;
    dispatch_object(&stage.producer, json!({"tenant": "acme", "type": "mail", "queue": "one"}))
        .await;
    let running = stage.claim("one", 1).await;
    dispatch_object(&stage.producer, json!({"tenant": "acme", "type": "mail", "queue": "two"}))
        .await;
    let sql = "select jobs, running, settings, more, next from fairclaim.purge_tenant(fairclaim.tenant_uuid('acme'))";
    let step = || async {
        let row = stage.operator.query_one(sql, &[]).await.expect("purge_tenant");
        (row.get::<_, i32>(0), row.get::<_, i32>(1), row.get::<_, bool>(3))
    };
    assert_eq!(step().await, (1, 1, true));
    settle_all(&stage.worker, &running, "complete").await;
    assert_eq!(step().await, (1, 0, false));
    assert_eq!(step().await, (0, 0, false));
    refused(
        stage.db.plain_operator().await.query("select fairclaim.purge_tenant(null)", &[]).await,
        "JQ002",
    );
}

/// The rows of every tenant's defaults have the nil uuid, which is no tenant.
#[tokio::test]
async fn a_purge_of_the_nil_uuid_leaves_what_holds_for_every_tenant() {
    let stage = Stage::set().await;
    stage.operator.query("select fairclaim.drain_queue('mail')", &[]).await.expect("drain_queue");
    let nil = uuid::Uuid::nil();
    let sql = "select settings, more from fairclaim.purge_tenant($1)";
    let row = stage.operator.query_one(sql, &[&nil]).await.expect("purge_tenant");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (0, false));
    let left = "select count(*) from fairclaim_internal.waiting_limit";
    assert_eq!(stage.owner.query_one(left, &[]).await.expect("left").get::<_, i64>(0), 1);
}
