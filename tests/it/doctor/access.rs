//! Rights that somebody changed.

use fairclaim::Level;

use super::{assert_found, examine, ticked};

/// What somebody does as the owner, the finding, its level, and what it must name.
const CHANGES: &[(&str, &str, Level, &[&str])] = &[
    (
        "grant execute on function fairclaim.claim_job to public",
        "function_access",
        Level::Error,
        &["claim_job", "public"],
    ),
    (
        "grant execute on function fairclaim.claim_jobs to test_stranger",
        "function_access",
        Level::Error,
        &["claim_jobs", "test_stranger"],
    ),
    (
        "grant execute on function fairclaim.tick to fairclaim_tenant",
        "function_access",
        Level::Error,
        &["should not", "tick by fairclaim_tenant"],
    ),
    (
        "revoke execute on function fairclaim.claim_jobs from fairclaim_worker",
        "function_access",
        Level::Error,
        &["needs it", "claim_jobs by fairclaim_worker"],
    ),
    (
        "alter function fairclaim.settle_jobs reset search_path",
        "function_security",
        Level::Error,
        &["settle_jobs"],
    ),
    (
        "create or replace function fairclaim_internal.wake(p_now timestamptz) returns void language sql as 'select'",
        "functions",
        Level::Warning,
        &["wake"],
    ),
    ("drop function fairclaim.prune", "functions", Level::Error, &["missing", "prune"]),
    (
        "create function fairclaim.helper() returns int language sql as 'select 1'",
        "foreign_function",
        Level::Warning,
        &["helper"],
    ),
    (
        "alter table fairclaim_internal.job disable row level security",
        "row_security",
        Level::Error,
        &["job"],
    ),
    (
        "alter table fairclaim_internal.ready no force row level security",
        "row_security",
        Level::Error,
        &["ready"],
    ),
    ("create table fairclaim.extra (x int)", "row_security", Level::Error, &["extra"]),
    (
        "alter view fairclaim.job_queue reset (security_invoker)",
        "row_security",
        Level::Error,
        &["job_queue"],
    ),
    (
        "create policy everybody on fairclaim_internal.job using (true)",
        "foreign_policy",
        Level::Warning,
        &["everybody on job"],
    ),
    (
        "grant select on fairclaim_internal.finished to test_stranger",
        "table_access",
        Level::Error,
        &["finished", "test_stranger"],
    ),
    (
        "grant select (id) on fairclaim_internal.job to public",
        "table_access",
        Level::Error,
        &["job", "public"],
    ),
    (
        "grant usage on schema fairclaim to test_stranger",
        "table_access",
        Level::Error,
        &["fairclaim"],
    ),
    (
        "grant usage on sequence fairclaim_internal.ready_seq to test_stranger",
        "table_access",
        Level::Error,
        &["ready_seq"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_right_that_somebody_changed_is_told_and_nothing_else() {
    let (db, owner) = ticked().await;
    let client = db.client("test_operator").await;
    let names = |diagnosis: &fairclaim::Diagnosis| -> Vec<String> {
        let troubles = diagnosis.findings.iter().filter(|f| f.level > Level::Note);
        troubles.map(|f| f.name.clone()).collect()
    };
    let before = names(&client.diagnose().await.expect("a diagnosis"));
    for (change, name, level, words) in CHANGES {
        owner.batch_execute(change).await.expect(change);
        let diagnosis = client.diagnose().await.expect("a diagnosis");
        assert_found(&diagnosis, name, *level, words);
        undo(&owner, &db, change).await;
    }
    let after = names(&client.diagnose().await.expect("a diagnosis"));
    assert_eq!(after, before, "undone, and not told any more");
}

/// What `migrate` does not put back is put back by hand.
async fn undo(owner: &tokio_postgres::Client, db: &crate::support::TestDb, change: &str) {
    let by_hand = match *change.split(' ').collect::<Vec<_>>() {
        ["grant", ref words @ ..] if !change.contains("function") => {
            format!("revoke {}", words.join(" ").replace(" to ", " from "))
        }
        ["grant", .., "test_stranger"] => {
            "revoke all on all functions in schema fairclaim from test_stranger".to_owned()
        }
        ["grant", .., "fairclaim_tenant"] => {
            "revoke execute on function fairclaim.tick from fairclaim_tenant".to_owned()
        }
        ["create", "function", ..] => "drop function fairclaim.helper".to_owned(),
        ["create", "table", ..] => "drop table fairclaim.extra".to_owned(),
        ["create", "policy", ..] => "drop policy everybody on fairclaim_internal.job".to_owned(),
        _ => String::new(),
    };
    owner.batch_execute(&by_hand).await.expect("undo");
    let installer = db.client("test_installer").await;
    installer.migrate(&fairclaim::MigrateOptions::default()).await.expect("migrate");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_of_a_stranger_in_our_schema_is_told() {
    let (db, owner) = ticked().await;
    owner
        .batch_execute(
            "create function fairclaim.leak() returns setof fairclaim_internal.job language sql security definer as 'select * from fairclaim_internal.job'",
        )
        .await
        .expect("create");
    let diagnosis = examine(&db, "test_stranger").await;
    assert_found(&diagnosis, "function_security", Level::Error, &["leak"]);
    assert_found(&diagnosis, "foreign_function", Level::Warning, &["leak"]);
}
