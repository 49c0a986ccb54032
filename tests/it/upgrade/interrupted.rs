//! A migration that is cut off leaves what was there before, whole.

use fairclaim::{MigrateOptions, migration_script, schema_version};

use super::{PATIENCE, migrate, previous};
use crate::{
    calls::{claim_job, dispatch, settle, tenant},
    support::{
        TestDb,
        waiting::{process_of, until},
    },
};

/// The script in the pieces that its files are.
fn pieces(script: &str) -> Vec<String> {
    const FOLDERS: [&str; 5] =
        ["-- access/", "-- internal/", "-- migrations/", "-- protocol/", "-- views/"];
    let mut pieces = vec![String::new()];
    for line in script.lines() {
        if FOLDERS.iter().any(|folder| line.starts_with(folder)) {
            pieces.push(String::new());
        }
        let piece = pieces.last_mut().expect("a piece");
        piece.push_str(line);
        piece.push('\n');
    }
    pieces
}

/// The database with something that every migrate puts right, so that a finished one shows.
async fn marked() -> TestDb {
    let db = previous().await;
    let mark = "comment on function fairclaim.clock() is 'not yet migrated'";
    db.owner().await.batch_execute(mark).await.expect("a mark");
    db
}

/// A job goes its way.
async fn assert_works(db: &TestDb) {
    let id = dispatch(&db.producer().await, tenant(1), "mail").await;
    let worker = db.worker().await;
    let job = claim_job(&worker, "w").await.expect("a job");
    assert_eq!(job.id, id);
    assert!(settle(&worker, &job, "complete").await.accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_whose_process_is_killed_leaves_the_old_version_whole() {
    let db = marked().await;
    let before = db.installation().await;
    let pieces = pieces(&migration_script(&MigrateOptions::default()));
    assert!(pieces.len() > 20, "the script has its files");
    let killer = db.session("test_installer").await;
    let last = pieces.len() - 1;
    for end in [2, 3, 4, 10, pieces.len() / 2, last - 3, last] {
        let session = db.session("test_installer").await;
        for piece in &pieces[..end] {
            session.batch_execute(piece).await.expect("a piece of the script");
        }
        let process = process_of(&session).await;
        killer.execute("select pg_terminate_backend($1, 60000)", &[&process]).await.expect("kill");
        assert_eq!(db.installation().await, before, "after {end} of {} pieces", pieces.len());
        assert_works(&db).await;
    }
    let report = migrate(&db).await.expect("the next one finishes");
    assert_eq!(report.to, schema_version());
    assert_ne!(db.installation().await, before);
    assert_works(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migrate_that_is_killed_says_so_and_the_next_one_finishes() {
    let db = marked().await;
    let before = db.installation().await;
    // it will wait for this one, so that it is there to be killed
    let auditor = db.auditor().await;
    auditor.batch_execute("begin; select count(*) from fairclaim.job_queue").await.expect("a look");
    let client = db.client("test_installer").await;
    let migrating = tokio::spawn(async move { client.migrate(&MigrateOptions::default()).await });
    let killer = db.session("test_installer").await;
    let kill = "select count(*) from (
                  select pg_terminate_backend(a.pid, 60000) from pg_stat_activity a
                   where a.datname = current_database() and a.usename = 'test_installer' and a.wait_event_type = 'Lock') x";
    until("migrate is killed", PATIENCE, || async {
        (killer.query_one(kill, &[]).await.expect("kill").get::<_, i64>(0) > 0).then_some(())
    })
    .await;
    let error = migrating.await.expect("no panic").expect_err("it was killed");
    assert!(error.is_unavailable(), "{error}");
    auditor.batch_execute("commit").await.expect("commit");
    assert_eq!(db.installation().await, before);
    assert_works(&db).await;
    assert_eq!(migrate(&db).await.expect("the next one finishes").to, schema_version());
    assert_ne!(db.installation().await, before);
}
