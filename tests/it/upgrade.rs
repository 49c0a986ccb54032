//! A new schema under running workers: the database is of an older build, and so are the workers and producers, which go on while
//! this build's `migrate` brings it up to date, and then a newer build's.

mod bounds;
pub(crate) mod copies;
mod interrupted;
mod load;
mod statements;

use std::time::Duration;

use crate::support::Client as Session;
use fairclaim::{MigrateOptions, MigrateReport, schema_version};

use self::load::Load;
use crate::{
    calls::{dispatch, tenant},
    support::{TestDb, waiting::until},
};

const PATIENCE: Duration = Duration::from_secs(200);

/// A database as an older build left it.
async fn previous() -> TestDb {
    let db = TestDb::empty().await;
    db.session("test_installer")
        .await
        .batch_execute(&copies::older())
        .await
        .expect("the older build");
    db
}

async fn migrate(db: &TestDb) -> Result<MigrateReport, fairclaim::Error> {
    db.client("test_installer").await.migrate(&MigrateOptions::default()).await
}

/// Waits until so many jobs are finished.
async fn finished(owner: &Session, at_least: i64) {
    let count = "select count(*) from fairclaim_internal.finished";
    until("jobs are finished", PATIENCE, || async {
        let found: i64 = owner.query_one(count, &[]).await.expect("finished").get(0);
        (found >= at_least).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_the_previous_build_go_on_while_two_migrate_at_once() {
    let db = previous().await;
    let owner = db.owner().await;
    let load = Load::start(&db).await;
    finished(&owner, 100).await;

    // an application that takes its time, and an auditor who looks at a view that is about to be replaced
    let (slow, auditor) = (db.producer().await, db.auditor().await);
    slow.batch_execute("begin").await.expect("begin");
    let late = dispatch(&slow, tenant(99), "mail").await;
    auditor.batch_execute("begin; select count(*) from fairclaim.job_queue").await.expect("a look");
    let mut migrates = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let client = db.client("test_installer").await;
        migrates.spawn(async move { client.migrate(&MigrateOptions::default()).await });
    }
    bounds::until_migrate_waits(&db).await;
    let before: i64 = owner
        .query_one("select count(*) from fairclaim_internal.finished", &[])
        .await
        .expect("finished")
        .get(0);
    finished(&owner, before + 100).await; // workers go on meanwhile
    slow.batch_execute("commit").await.expect("commit");
    auditor.batch_execute("commit").await.expect("commit");
    for report in migrates.join_all().await {
        assert_eq!(report.expect("migrate").to, schema_version());
    }
    let after: i64 = owner
        .query_one("select count(*) from fairclaim_internal.finished", &[])
        .await
        .expect("finished")
        .get(0);
    finished(&owner, after + 100).await; // and afterwards
    until("a newer build migrates", PATIENCE, || async {
        let newer = db.session("test_installer").await;
        newer.batch_execute(&copies::newer()).await.ok()
    })
    .await;
    finished(&owner, after + 200).await; // also under tables that it does not know

    let mut end = load.end(&owner).await;
    end.dispatched.push(late);
    finished(&owner, i64::try_from(end.dispatched.len()).expect("a count")).await;
    end.stop().await;
    assert_eq!(end.audit(&owner).await, Vec::<String>::new());
    assert_eq!(end.undocumented(), Vec::<String>::new());

    // the control: a job that loses its final fact is missed
    owner
        .execute("delete from fairclaim_internal.finished where id = $1", &[&late])
        .await
        .expect("a loss");
    assert_eq!(end.audit(&owner).await.len(), 1);
}

/// The control: what a migration must not do is seen by the same load.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_changes_what_a_function_returns_breaks_workers_of_the_previous_build() {
    let db = previous().await;
    let owner = db.owner().await;
    let load = Load::start(&db).await;
    finished(&owner, 50).await;
    let rename = "do $$
        declare v_text text := pg_get_functiondef('fairclaim.settle_and_claim'::regproc);
        begin
          drop function fairclaim.settle_and_claim;
          execute replace(v_text, 'lease_token uuid, lease_expires_at', 'token uuid, lease_expires_at');
          grant execute on function fairclaim.settle_and_claim to fairclaim_worker;
        end $$";
    owner.batch_execute(rename).await.expect("a bad migration");
    until("the load sees it", PATIENCE, || async { load.goes_on_failing("42703").then_some(()) })
        .await;
    load.abandon().await;
}
