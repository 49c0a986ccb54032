//! The printed migration: one text that a plain session runs, as `psql -f` or a folder of migrations does, all or nothing.

use std::process::{Output, Stdio};

use fairclaim::{MigrateOptions, migration_script, schema_version};
use tokio::{io::AsyncWriteExt, process::Command};

use super::{INSTALLER, migrate};
use crate::{
    calls::refused,
    support::{Client, TestDb},
};

fn script() -> String {
    migration_script(&MigrateOptions::default())
}

async fn is_installed(session: &Client) -> bool {
    let there = "select exists (select from pg_namespace where nspname = 'fairclaim')";
    session.query_one(there, &[]).await.expect("pg_namespace").get(0)
}

/// The versions that the database says it has.
async fn versions(db: &TestDb) -> Vec<i32> {
    let sql = "select version from fairclaim_internal.migration order by version";
    let rows = db.owner().await.query(sql, &[]).await.expect("fairclaim_internal.migration");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Feeds a script to psql where there is one (the servers of npm come without).
async fn psql(db: &TestDb, script: &str, stop_on_error: bool) -> Option<Output> {
    let stop = if stop_on_error { "ON_ERROR_STOP=1" } else { "ON_ERROR_STOP=0" };
    let mut psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", stop, "--file", "-", "--dbname"])
        .arg(db.url(INSTALLER))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = psql.stdin.take().expect("a pipe");
    let text = script.to_owned();
    // psql that stops at an error closes the pipe
    let writing = tokio::spawn(async move { input.write_all(text.as_bytes()).await });
    let output = psql.wait_with_output().await.expect("psql");
    drop(writing.await.expect("the writer"));
    Some(output)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_script_works_by_itself() {
    let db = TestDb::empty().await;
    let by_hand = db.session(INSTALLER).await;
    for _ in 0..2 {
        by_hand.batch_execute(&script()).await.expect("the script");
        if let Some(output) = psql(&db, &script(), true).await {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let report = migrate(&db.client(INSTALLER).await).await.expect("migrate");
    assert_eq!(
        (report.from, report.applied.len()),
        (schema_version(), 0),
        "the same as the client's"
    );
    assert_eq!(db.installation().await, TestDb::new().await.installation().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_script_refuses_a_newer_schema_and_changes_nothing() {
    let db = TestDb::new().await;
    let newer = "insert into fairclaim_internal.migration values (1000000, 'from_the_future', 'x');
                 alter function fairclaim_internal.wake rename to wake_v2";
    db.owner().await.batch_execute(newer).await.expect("a newer schema");
    let before = db.installation().await;

    let by_hand = db.session(INSTALLER).await;
    let error = refused(by_hand.batch_execute(&script()).await, "JQ006");
    assert!(error.message().contains("1000000"), "{}", error.message());
    assert!(error.hint().is_some());
    by_hand.batch_execute("rollback").await.expect("rollback");
    let role = by_hand.query_one("select current_user = session_user", &[]).await;
    assert!(role.expect("the session serves on").get::<_, bool>(0), "and is nobody else");
    for stop in [true, false] {
        if let Some(output) = psql(&db, &script(), stop).await {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains("the database has schema version 1000000"), "{told}");
            assert_eq!(output.status.success(), !stop);
        }
    }
    assert_eq!(db.installation().await, before, "nothing was replaced by something older");
    let known = 1..=schema_version();
    assert_eq!(versions(&db).await, known.chain([1_000_000]).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_script_refuses_a_migration_that_was_edited() {
    let db = TestDb::new().await;
    let edited =
        "update fairclaim_internal.migration set checksum = 'of another text' where version = 1;
                  alter function fairclaim_internal.wake rename to wake_v2";
    db.owner().await.batch_execute(edited).await.expect("another checksum");
    let before = db.installation().await;
    let by_hand = db.session(INSTALLER).await;
    let error = refused(by_hand.batch_execute(&script()).await, "JQ006");
    assert!(error.message().contains("migration 1"), "{}", error.message());
    by_hand.batch_execute("rollback").await.expect("rollback");
    assert_eq!(db.installation().await, before);
}

/// The script with something in it that fails, in the middle of its functions.
fn half() -> String {
    let whole = script();
    let (done, rest) =
        whole.split_once("-- protocol/claim/claim_jobs.sql\n").expect("a file of the middle");
    format!("{done}select 1 / 0;\n{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_script_that_fails_half_way_leaves_no_half_of_an_installation() {
    let db = TestDb::empty().await;
    let by_hand = db.session(INSTALLER).await;
    refused(by_hand.batch_execute(&half()).await, "22012");
    by_hand.batch_execute("rollback").await.expect("rollback");
    assert!(!is_installed(&by_hand).await);
    // psql that goes on after an error meets the commit in the end, which must not commit
    for stop in [true, false] {
        if let Some(output) = psql(&db, &half(), stop).await {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains("division by zero"), "{told}");
        }
        assert!(!is_installed(&by_hand).await, "stop: {stop}");
    }
    by_hand.batch_execute(&script()).await.expect("the whole script, in the same session");
    assert_eq!(db.installation().await, TestDb::new().await.installation().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_script_that_fails_half_way_leaves_an_installation_as_it_was() {
    let db = TestDb::new().await;
    let changed = "drop function fairclaim.tick();
                   create or replace function fairclaim.clock() returns timestamptz language sql as 'select null::timestamptz'";
    db.owner().await.batch_execute(changed).await.expect("what a migrate would put back");
    let before = db.installation().await;
    let by_hand = db.session(INSTALLER).await;
    refused(by_hand.batch_execute(&half()).await, "22012");
    by_hand.batch_execute("rollback").await.expect("rollback");
    assert_eq!(db.installation().await, before);
    assert_eq!(versions(&db).await, (1..=schema_version()).collect::<Vec<_>>());

    by_hand.batch_execute(&script()).await.expect("the whole script");
    assert_eq!(db.installation().await, TestDb::new().await.installation().await);
}
