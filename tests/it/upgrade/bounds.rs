//! A migration that has to wait makes nobody wait behind it for long: it gives its place in the queue up, and tries again.

use std::time::Duration;

use super::{PATIENCE, migrate, previous};
use crate::support::{
    TestDb,
    waiting::{process_of, until},
};

/// Waits until a session of the installer waits for a lock.
pub(super) async fn until_migrate_waits(db: &TestDb) {
    let looker = db.session("test_owner").await;
    let waits = "select exists (select from pg_stat_activity a where a.datname = current_database()
                                  and a.usename = 'test_installer' and a.wait_event_type = 'Lock')";
    until("migrate waits for a lock", PATIENCE, || async {
        looker
            .query_one(waits, &[])
            .await
            .expect("pg_stat_activity")
            .get::<_, bool>(0)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_do_not_stand_long_behind_a_migration_that_waits() {
    let db = previous().await;
    let auditor = db.auditor().await;
    auditor.batch_execute("begin; select count(*) from fairclaim.job_queue").await.expect("a look");
    let migrating = {
        let client = db.client("test_installer").await;
        tokio::spawn(async move { client.migrate(&fairclaim::MigrateOptions::default()).await })
    };
    // their patience is several times that of migrate, and much less than half a minute
    let reader = db.operator().await;
    reader.batch_execute("set lock_timeout = '30s'").await.expect("set");
    for _ in 0..3 {
        until_migrate_waits(&db).await;
        reader
            .batch_execute("select count(*) from fairclaim.job_queue")
            .await
            .expect("a reader is not stopped");
    }
    auditor.batch_execute("commit").await.expect("commit");
    migrating.await.expect("no panic").expect("it repeats until it has its lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_can_start_while_somebody_migrates() {
    let db = previous().await;
    let installer = db.session("test_installer").await;
    let script = fairclaim::migration_script(&fairclaim::MigrateOptions::default());
    let open = script.trim_end().strip_suffix("commit;").expect("one transaction");
    installer.batch_execute(open).await.expect("a migration that has not committed");
    let worker = db.worker().await;
    worker.batch_execute("set lock_timeout = '10s'").await.expect("set");
    worker.batch_execute("select fairclaim.schema_version()").await.expect("it does not wait");
    installer.batch_execute("commit").await.expect("commit");
    migrate(&db).await.expect("again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_gives_up_names_who_holds_the_lock() {
    let db = previous().await;
    let before = db.installation().await;
    let auditor = db.auditor().await;
    auditor.batch_execute("begin; select count(*) from fairclaim.job_queue").await.expect("a look");
    let options = fairclaim::MigrateOptions::default().lock_wait(Duration::from_secs(6));
    let error = db.client("test_installer").await.migrate(&options).await.expect_err("locked");
    let told = error.to_string();
    assert!(told.contains("55P03"), "{told}");
    assert!(told.contains(&format!("pid {};", process_of(&auditor).await)), "{told}");
    assert!(error.hint().is_some_and(|hint| hint.contains("run it again")), "{error:?}");
    assert_eq!(db.installation().await, before);
    auditor.batch_execute("commit").await.expect("commit");
    migrate(&db).await.expect("nobody holds it");
}

/// The control: a migration that waits for its lock without end stops every reader behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_keeps_its_place_stops_readers() {
    let db = previous().await;
    let auditor = db.auditor().await;
    auditor.batch_execute("begin; select count(*) from fairclaim.job_queue").await.expect("a look");
    let script = fairclaim::migration_script(&fairclaim::MigrateOptions::default());
    let patient =
        script.replace("set local lock_timeout = '1s'", "set local lock_timeout = '10min'");
    assert_ne!(patient, script);
    let installer = db.session("test_installer").await;
    let migrating = tokio::spawn(async move { installer.batch_execute(&patient).await });
    until_migrate_waits(&db).await;
    let reader = db.operator().await;
    reader.batch_execute("set lock_timeout = '3s'").await.expect("set");
    let stopped = reader
        .batch_execute("select count(*) from fairclaim.job_queue")
        .await
        .expect_err("it waits");
    assert_eq!(
        stopped.code(),
        Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE),
        "{stopped}"
    );
    auditor.batch_execute("commit").await.expect("commit");
    migrating.await.expect("no panic").expect("it had its lock in the end");
}
