//! Installing: again, twice at once, over something newer, by hand, among other schemas; and what it leaves behind.

mod access;
mod printed;

use fairclaim::{Client, Error, MigrateOptions, MigrateReport, schema_version};

use crate::{support::TestDb, upgrade::copies};

const INSTALLER: &str = "test_installer";

async fn migrate(client: &Client) -> Result<MigrateReport, Error> {
    client.migrate(&MigrateOptions::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing() {
    let db = TestDb::empty().await;
    let client = db.client(INSTALLER).await;
    let first = migrate(&client).await.expect("migrate");
    assert_eq!((first.from, first.to), (0, schema_version()));
    assert_eq!(first.applied.len(), usize::try_from(schema_version()).expect("a version"));
    let before = db.installation().await;
    db.producer()
        .await
        .batch_execute("select fairclaim.dispatch_job(gen_random_uuid(), 'mail')")
        .await
        .expect("dispatch");

    let again = migrate(&client).await.expect("migrate again");
    assert_eq!(
        (again.from, again.to, again.applied.len()),
        (schema_version(), schema_version(), 0)
    );
    assert_eq!(db.installation().await, before);
    let worker = db.worker().await;
    let claimed = worker.query("select * from fairclaim.claim_job('w')", &[]).await.expect("claim");
    assert_eq!(claimed.len(), 1, "jobs survive");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_an_older_build_are_replaced_and_jobs_kept() {
    let fresh = TestDb::new().await.installation().await;
    let db = TestDb::empty().await;
    db.installer().await.batch_execute(&copies::older()).await.expect("the older build");
    assert_ne!(db.installation().await, fresh, "it has other functions");
    let producer = db.producer().await;
    let dispatch = "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')";
    producer.batch_execute(dispatch).await.expect("dispatch");

    migrate(&db.client(INSTALLER).await).await.expect("migrate");
    assert_eq!(db.installation().await, fresh);
    assert_one_job_is_claimed(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_build_applies_the_migrations_that_are_missing_and_is_not_undone() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let dispatch = "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')";
    producer.batch_execute(dispatch).await.expect("dispatch");
    let installer = db.installer().await;
    for _ in 0..2 {
        installer.batch_execute(&copies::newer()).await.expect("the newer build");
    }
    let versions = "select array_agg(version order by version) from fairclaim_internal.migration";
    let found: Vec<i32> =
        db.owner().await.query_one(versions, &[]).await.expect("migrations").get(0);
    assert_eq!(found, (1..=copies::NEWER).collect::<Vec<_>>());
    assert_one_job_is_claimed(&db).await;

    let error = migrate(&db.client(INSTALLER).await).await.expect_err("this build is older");
    assert_eq!(error.code(), Some("JQ006"), "{error}");
}

/// A worker of this build claims the job that was dispatched before.
async fn assert_one_job_is_claimed(db: &TestDb) {
    let worker = db.worker().await;
    let claimed = worker.query("select * from fairclaim.claim_job('w')", &[]).await.expect("claim");
    assert_eq!(claimed.len(), 1, "jobs survive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_somebody_changed_is_put_back() {
    let db = TestDb::new().await;
    let before = db.installation().await;
    db.owner()
        .await
        .batch_execute(
            "create or replace function fairclaim_internal.wake(p_now timestamptz) returns void language sql as 'select';
             grant execute on function fairclaim_internal.wake to public",
        )
        .await
        .expect("change");
    assert_ne!(db.installation().await, before);
    migrate(&db.client(INSTALLER).await).await.expect("migrate");
    assert_eq!(db.installation().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_installers_at_once_do_it_once() {
    let db = TestDb::empty().await;
    let mut installers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = db.client(INSTALLER).await;
        installers.spawn(async move { migrate(&client).await });
    }
    let reports: Vec<_> =
        installers.join_all().await.into_iter().map(|report| report.expect("migrate")).collect();
    assert_eq!(
        reports.iter().filter(|report| !report.applied.is_empty()).count(),
        1,
        "{reports:?}"
    );
    assert!(reports.iter().all(|report| report.to == schema_version()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let db = TestDb::new().await;
    let newer = format!(
        "insert into fairclaim_internal.migration values ({}, 'from_the_future', 'x')",
        schema_version() + 1
    );
    let owner = db.owner().await;
    owner.batch_execute(&newer).await.expect("a newer version");
    owner
        .batch_execute("alter function fairclaim_internal.wake rename to wake_v2")
        .await
        .expect("a newer function");
    let before = db.installation().await;
    let error = migrate(&db.client(INSTALLER).await).await.expect_err("refused");
    assert_eq!(error.code(), Some("JQ006"), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(db.installation().await, before, "nothing was replaced by something older");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_edited_is_refused() {
    let db = TestDb::new().await;
    let edited = "update fairclaim_internal.migration set checksum = 'of another text'";
    db.owner().await.batch_execute(edited).await.expect("another checksum");
    let error = migrate(&db.client(INSTALLER).await).await.expect_err("refused");
    assert_eq!(error.code(), Some("JQ006"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_installs_as_a_plain_role_among_other_schemas() {
    let db = TestDb::empty().await;
    let session = db.session(INSTALLER).await;
    let plain = "select not r.rolsuper and not r.rolbypassrls and not r.rolreplication and not r.rolcreatedb
                   from pg_roles r where r.rolname = session_user";
    assert!(session.query_one(plain, &[]).await.expect("pg_roles").get::<_, bool>(0));
    session
        .batch_execute(
            "create schema app; create schema \"Odd name\";
             create table app.job (id int primary key); create table app.ready (x text); insert into app.job values (7);
             create function app.millis(timestamptz) returns bigint language sql as 'select 0::bigint';
             create function app.now() returns timestamptz language sql as 'select null::timestamptz'",
        )
        .await
        .expect("an application");
    // poolers pass no options on
    let url = format!("{}?options=-csearch_path%3Dapp", db.direct_url(INSTALLER));
    let client = Client::connect(&url).await.expect("connect");
    migrate(&client).await.expect("migrate");
    assert_eq!(db.installation().await, TestDb::new().await.installation().await);
    let row = session
        .query_one(
            "select (select count(*) from pg_class c where c.relnamespace in ('app'::regnamespace, 'public'::regnamespace)
                       and c.relkind = 'r'), (select count(*) from app.job), (select count(*) from pg_proc p
                      where p.pronamespace = 'public'::regnamespace)",
            &[],
        )
        .await
        .expect("the application");
    assert_eq!(
        [0, 1, 2].map(|n| row.get::<_, i64>(n)),
        [2, 1, 0],
        "nobody else's schema was touched"
    );
    let roles = "select not r.rolsuper and not r.rolbypassrls and not r.rolcanlogin and not r.rolcreaterole
                   from pg_roles r where r.rolname ~ '^fairclaim_(owner|worker|producer|tenant|operator|auditor|observer)$'";
    let rows = session.query(roles, &[]).await.expect("pg_roles");
    assert!(
        rows.len() == 7 && rows.iter().all(|row| row.get(0)),
        "none can log in or pass row security"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_not_install_is_told_what_to_ask_for() {
    let db = TestDb::empty().await;
    let error = migrate(&db.client("test_stranger").await).await.expect_err("refused");
    assert_eq!(error.code(), Some("JQ007"), "{error}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("grant") || hint.contains("createrole")),
        "{error:?}"
    );
}
