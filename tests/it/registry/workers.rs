//! What the library's worker reports, and that it makes no call for it while it is idle.

use std::time::Duration;

use fairclaim::{Attempt, FairBy, JobError, RawJob, Worker, WorkerBuilder, WorkerRow};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    calls::{dispatch_many, tenant},
    support::waiting::until,
    worker::stage::{PATIENCE, Running, Stage},
};

/// Longer than reports of a worker that works are apart.
const QUIET: f64 = 8.0;

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

async fn worker(stage: &Stage) -> WorkerBuilder {
    let client = stage.db.direct_client("test_worker").await;
    Worker::builder(client).worker_id("one").queue("default", 2).queue("mail", 7)
}

/// The only worker that is listed, once there is one for which this holds.
async fn until_listed(stage: &Stage, what: &str, holds: impl Fn(&WorkerRow) -> bool) -> WorkerRow {
    until(what, PATIENCE, || async {
        let mut workers = stage.operator.workers().await.expect("workers");
        assert!(workers.len() <= 1, "{workers:?}");
        workers.pop().filter(&holds)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_listed_from_its_start_to_its_end_and_reports_while_it_works() {
    let stage = Stage::new().await;
    let open = CancellationToken::new();
    let opened = open.clone();
    let handler = move |_: RawJob, _: Attempt| {
        let opened = opened.clone();
        async move {
            opened.cancelled().await;
            Ok::<_, JobError>(())
        }
    };
    let running = Running::start(worker(&stage).await.handler_for("slow", handler));
    let row = until_listed(&stage, "it is listed", |_| true).await;
    assert_eq!(row.id, "one");
    assert_eq!(
        (row.queues, row.slots),
        (vec!["default".to_owned(), "mail".to_owned()], vec![2, 7])
    );
    assert_eq!(row.types, Some(vec!["slow".to_owned()]));
    assert_eq!(row.version, env!("CARGO_PKG_VERSION"));
    assert!(row.is_live && !row.host.is_empty());

    stage.dispatch("slow", json!({})).await;
    // a report, and one more, of a job that goes on and on
    let first =
        until_listed(&stage, "it works", |row| row.running == 1 && row.seen_at > row.started_at);
    let first = first.await.seen_at;
    until_listed(&stage, "it still works", |row| row.seen_at > first).await;
    open.cancel();
    running.stop().await;
    assert_eq!(stage.operator.workers().await.expect("workers"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_makes_no_call_to_report_and_says_how_long_it_will_be_silent() {
    let stage = Stage::new().await;
    let running = Running::start(worker(&stage).await.handler_for("nothing", nothing));
    let superuser = stage.db.superuser().await;
    let sql =
        "select coalesce(min(extract(epoch from clock_timestamp() - a.state_change)), 0)::float8
                 from pg_stat_activity a where a.datname = $1 and a.usename = 'test_worker'";
    until("no statement for longer than reports are apart", PATIENCE, || async {
        let quiet: f64 =
            superuser.query_one(sql, &[&stage.db.name()]).await.expect("sessions").get(0);
        (quiet > QUIET).then_some(())
    })
    .await;
    let row = until_listed(&stage, "it is listed", |_| true).await;
    assert!(row.is_live);
    let silent = row.silent_until.duration_since(row.seen_at).expect("later");
    assert!(
        silent > Duration::from_secs(180),
        "longer than two of its polls are apart: {silent:?}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_fails_disturbs_no_worker() {
    let stage = Stage::new().await;
    let spoilt = "alter table fairclaim_internal.worker add check (id <> 'one')";
    stage.db.owner().await.batch_execute(spoilt).await.expect("alter table");
    let running = Running::start(worker(&stage).await.handler_for("nothing", nothing));
    let ids = stage.dispatch_many("default", "nothing", 50).await;
    stage.until_all(&ids, fairclaim::Status::Completed).await;
    let report = running.stop().await;
    assert_eq!((report.completed, report.call_failures), (50, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_times_of_tenants_with_a_backlog_reach_their_lanes() {
    let stage = Stage::new().await;
    let change = stage.operator.set_queue_fair_by("default", FairBy::Seconds).await;
    assert_eq!(change.expect("set_queue_fair_by").was_fair_by, FairBy::Claims);
    let producer = stage.db.producer().await;
    for n in [1, 2] {
        dispatch_many(&producer, tenant(n), "default", "unequal", 6_000).await;
    }
    let slow: Uuid = tenant(1);
    let handler = move |_: RawJob, attempt: Attempt| async move {
        let millis = if attempt.tenant_id() == slow.into() { 30 } else { 1 };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok::<_, JobError>(())
    };
    let running = Running::start(worker(&stage).await.handler_for("unequal", handler));
    let owner = stage.db.owner().await;
    let sql = "select max(weight) filter (where tenant_id = $1), max(weight) filter (where tenant_id = $2)
                 from fairclaim_internal.lane where tenant_id is not null";
    until("the quick one has more turns", PATIENCE, || async {
        let row = owner.query_one(sql, &[&tenant(1), &tenant(2)]).await.expect("lanes");
        let (slow, quick): (Option<i16>, Option<i16>) = (row.get(0), row.get(1));
        assert!(slow.is_some() && quick.is_some(), "both have a backlog");
        (quick > slow.map(|weight| weight * 3)).then_some(())
    })
    .await;
    running.stop().await;
}
