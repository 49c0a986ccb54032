//! Errors of the server as the library's callers get them: each code becomes what one can do about it, and no value goes along.

use std::time::Duration;

use fairclaim::{Client, Error, ErrorKind, JobFilter, MigrateOptions, Tenant};
use uuid::Uuid;

use crate::{
    calls::{dispatch, tenant},
    support::{Client as Session, TestDb, waiting},
};

/// What must never leave the server's error.
const SECRET: &str = "s3cret";

/// The library's error of a statement that must fail.
async fn failed(session: &Session, sql: &str) -> Error {
    Error::from(session.batch_execute(sql).await.expect_err(sql))
}

#[tokio::test]
async fn every_code_of_the_protocol_becomes_its_kind() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let expected = [
        ("JQ001", ErrorKind::LeaseLost),
        ("JQ002", ErrorKind::TenantMissing),
        ("JQ003", ErrorKind::QuotaExceeded),
        ("JQ004", ErrorKind::InvalidArgument),
        ("JQ005", ErrorKind::NotFound),
        ("JQ006", ErrorKind::SchemaMismatch),
        ("JQ007", ErrorKind::PrivilegeMissing),
    ];
    for (code, kind) in expected {
        let refuse =
            format!("select fairclaim_internal.refuse('{code}', 'p_field', 'its rule', 'do this')");
        let error = failed(&owner, &refuse).await;
        assert_eq!((error.kind(), error.code()), (kind, Some(code)));
        assert_eq!(error.hint(), Some("do this"), "{code}");
        assert_eq!((error.field(), error.message()), (Some("field"), "its rule"), "{code}");
        assert!(error.to_string().ends_with(": field: its rule"), "{code}: {error}");
        assert!(!error.is_transient() && !error.is_unavailable(), "{code} stays wrong");

        let bare = format!(
            "do $$ begin raise exception 'no hint' using errcode = '{code}', hint = ''; end $$"
        );
        assert_eq!(failed(&owner, &bare).await.hint(), None, "{code}: an empty hint is none");
    }
}

/// Codes of the server, what they become, and whether the same call may succeed later.
const SERVER: &[(&[&str], ErrorKind, bool)] = &[
    (&["42501"], ErrorKind::PrivilegeMissing, false),
    (&["3F000", "42883", "42P01", "42703"], ErrorKind::SchemaMismatch, false),
    (&["3D000", "28000", "28P01"], ErrorKind::Configuration, false),
    (&["08000", "08003", "08006", "08P01"], ErrorKind::Unavailable, true),
    (&["57P01", "57P02", "57P03", "57P05", "53300"], ErrorKind::Unavailable, true),
    (&["40001", "40P01", "40003"], ErrorKind::Database, true),
    (&["53100", "53200", "57014"], ErrorKind::Database, true),
    (&["53400"], ErrorKind::Database, false),
    (&["55P03", "55006", "25006"], ErrorKind::Database, true),
    (&["22P02", "22P05", "22021", "22003", "22007", "22008", "22023"], ErrorKind::Database, false),
    (&["23505", "23514", "42601", "XX000", "P0001"], ErrorKind::Database, false),
];

#[tokio::test]
async fn every_code_of_the_server_becomes_what_the_caller_can_do() {
    let db = TestDb::new().await;
    let session = db.stranger().await;
    for (codes, kind, transient) in SERVER {
        for code in *codes {
            let raise = format!(
                "do $$ begin raise exception 'it failed: {SECRET}_message' using errcode = '{code}',
                   detail = '{SECRET}_detail', hint = 'try', schema = 'x', table = '{SECRET}_table'; end $$ -- {SECRET}_query"
            );
            let error = failed(&session, &raise).await;
            assert_eq!((error.kind(), error.is_transient()), (*kind, *transient), "{code}");
            assert_eq!(error.is_unavailable(), *kind == ErrorKind::Unavailable, "{code}");
            let told = format!("{error} {error:?} {:?}", error.hint());
            for part in ["detail", "table", "query"] {
                assert!(!told.contains(&format!("{SECRET}_{part}")), "{code}: {told}");
            }
            let quotes = told.contains(&format!("{SECRET}_message"));
            assert_eq!(
                quotes,
                !code.starts_with("22"),
                "{code}: messages of class 22 quote values"
            );
            assert_eq!(error.sqlstate(), Some(*code));
            assert_eq!((error.field(), error.item()), (None, None), "{code}: DETAIL is not ours");
            if error.kind() != ErrorKind::Database {
                assert!(error.hint().is_some(), "{code}: {error:?}");
            }
        }
    }
}

#[test]
fn the_table_of_errors_in_the_readme_and_this_one_know_the_same_codes() {
    let readme = include_str!("../../sql/README.md");
    let (_, section) = readme.split_once("\n## Errors\n").expect("a section on errors");
    let table = section.split("\n## ").next().unwrap_or(section);
    let listed: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| cell.split(", "))
        .filter(|code| code.len() == 5)
        .collect();
    for n in 1..=7 {
        assert!(listed.contains(&format!("JQ00{n}").as_str()), "JQ00{n}");
    }
    let known = |code: &str| SERVER.iter().any(|(codes, _, _)| codes.contains(&code));
    for code in listed.iter().filter(|code| !code.starts_with("JQ")) {
        assert!(known(code), "{code} is in the README and untested");
    }
    for code in ["42501", "40001", "40P01", "22P02", "22P05", "22021", "22003"] {
        assert!(listed.contains(&code), "{code} is not in the README");
    }
}

#[tokio::test]
async fn refusals_of_real_calls_arrive_typed() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.client("test_producer").await, db.client("test_worker").await);
    let (operator, stranger) = (db.client("test_operator").await, db.client("test_stranger").await);
    let id = dispatch(&db.producer().await, tenant(1), "mail").await;

    let error = producer.cancel(None, &[id]).await.expect_err("no tenant");
    assert_eq!(error.code(), Some("JQ002"), "{error}");
    let error = failed(&db.tenant().await, "select * from fairclaim.job_queue").await;
    assert_eq!(error.code(), Some("JQ002"), "a session without a tenant: {error}");
    let foreign = Tenant::from(Uuid::new_v4());
    let answer = producer.cancel(Some(foreign), &[id]).await.expect("not found, and no error");
    assert_eq!(answer[0].status, None);

    let filter = JobFilter { limit: Some(1001), ..JobFilter::default() };
    let error = operator.jobs(&filter).await.expect_err("too many");
    assert_eq!(error.code(), Some("JQ004"), "{error}");
    assert_eq!((error.argument(), error.field()), (Some("p_limit"), Some("limit")), "{error}");
    assert_eq!((error.bounds().minimum, error.bounds().maximum), (Some(1.0), Some(1000.0)));

    let error = db.client("test_installer").await.migrate(&MigrateOptions::default()).await;
    assert!(error.is_ok(), "{error:?}");
    let newer = "insert into fairclaim_internal.migration values (1000000, 'from_the_future', 'x')";
    db.owner().await.batch_execute(newer).await.expect("a newer version");
    let error = db.client("test_installer").await.migrate(&MigrateOptions::default()).await;
    assert_eq!(error.expect_err("newer").code(), Some("JQ006"));

    for (error, role) in [
        (worker.jobs(&JobFilter::default()).await.expect_err("worker"), "fairclaim_operator"),
        (worker.cancel(None, &[id]).await.expect_err("worker"), "fairclaim_producer"),
        (stranger.schema_version().await.expect_err("stranger"), "fairclaim_observer"),
        (failed(&db.producer().await, "select fairclaim.claim_job('w')").await, "fairclaim_worker"),
    ] {
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::PrivilegeMissing, Some("JQ007")),
            "{error}"
        );
        assert!(error.hint().is_some_and(|hint| hint.contains(role)), "{role}: {error:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_installed_is_told_apart() {
    let (empty, installed) = (TestDb::empty().await, TestDb::new().await);
    let error = empty.client("test_worker").await.schema_version().await.expect_err("no schema");
    assert_eq!((error.kind(), error.code()), (ErrorKind::SchemaMismatch, Some("JQ006")), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("fairclaim migrate")), "{error:?}");

    let elsewhere = installed.url("test_worker").replace(installed.name(), "no_such_database");
    for url in [elsewhere, installed.url("no_such_login")] {
        let error = call(&url).await.expect_err("nothing to connect to");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}: {error}");
        assert!(error.hint().is_some() && !error.is_transient(), "{error:?}");
    }
}

/// Connects and makes a call.
async fn call(url: &str) -> Result<i32, Error> {
    Client::connect(url).await?.schema_version().await
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_collide_are_transient() {
    let db = TestDb::new().await;
    let (a, b) = (db.owner().await, db.owner().await);
    a.batch_execute("insert into fairclaim_internal.queue (name) values ('x'), ('y')")
        .await
        .expect("rows");
    let touch = |name: &str| {
        format!("update fairclaim_internal.queue set paused_at = null where name = '{name}'")
    };
    let expect = |error: Error, code: &str| {
        assert!(error.is_transient() && !error.is_unavailable(), "{code}: {error}");
        assert_eq!(error.sqlstate(), Some(code), "{error:?}");
    };

    a.batch_execute("begin isolation level repeatable read; table fairclaim_internal.queue")
        .await
        .expect("begin");
    b.batch_execute(&touch("x")).await.expect("an update");
    expect(failed(&a, &touch("x")).await, "40001");
    a.batch_execute("rollback").await.expect("rollback");

    a.batch_execute(&format!("begin; {}", touch("x"))).await.expect("lock x");
    b.batch_execute(&format!("set lock_timeout = '50ms'; {}", touch("x")))
        .await
        .expect_err("locked");
    b.batch_execute("set lock_timeout = '50ms'").await.expect("set");
    expect(failed(&b, &touch("x")).await, "55P03");

    b.batch_execute("set lock_timeout = 0").await.expect("set");
    b.batch_execute(&format!("begin; {}", touch("y"))).await.expect("lock y");
    let (from_x, from_y) = (touch("y"), touch("x"));
    let (first, second) = tokio::join!(a.batch_execute(&from_x), b.batch_execute(&from_y));
    assert!(first.is_ok() != second.is_ok(), "one of a deadlock's two goes on");
    expect(Error::from(first.and(second).expect_err("the other")), "40P01");
    a.batch_execute("rollback").await.expect("rollback");
    b.batch_execute("rollback").await.expect("rollback");

    expect(failed(&a, "set statement_timeout = '50ms'; select pg_sleep(30)").await, "57014");
    let producer = db.producer().await;
    producer.batch_execute("set default_transaction_read_only = on").await.expect("set");
    let dispatch = "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')";
    expect(failed(&producer, dispatch).await, "25006"); // as on a primary that became a replica
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_ended_or_not_let_in_is_unavailable() {
    let db = TestDb::new().await;
    let (victim, observer) = (db.owner().await, db.owner().await);
    let process = waiting::process_of(&victim).await;
    let sleeping = tokio::spawn(async move {
        let first = failed(&victim, "select pg_sleep(60)").await;
        (first, failed(&victim, "select 1").await)
    });
    observer.batch_execute("reset role").await.expect("the login itself");
    waiting::until("it sleeps", Duration::from_secs(10), async || {
        let active = "select exists (select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep')";
        observer.query_one(active, &[&process]).await.expect("activity").get::<_, bool>(0).then_some(())
    })
    .await;
    let ended = observer.query_one("select pg_terminate_backend($1)", &[&process]).await;
    assert!(ended.expect("terminate").get::<_, bool>(0));
    let (first, second) = sleeping.await.expect("the victim");
    for error in [first, second] {
        assert_eq!(
            (error.kind(), error.is_transient()),
            (ErrorKind::Unavailable, true),
            "{error:?}"
        );
        assert!(error.hint().is_some());
    }

    let login = format!("crowded_{}", Uuid::new_v4().simple());
    let installer = db.installer().await;
    let create = format!("create role {login} login connection limit 0");
    installer.batch_execute(&create).await.expect("a login that nobody may use");
    let error = call(&db.url(&login)).await.expect_err("too many connections");
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Unavailable, true), "{error:?}");
    installer.batch_execute(&format!("drop role {login}")).await.expect("drop role");
}

#[tokio::test]
async fn what_a_type_refuses_is_told_without_the_value() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for (code, value) in [
        ("22P02", format!("'{SECRET}', 'mail'")),
        ("22P02", format!("gen_random_uuid(), 'mail', '{{\"a\": {SECRET}}}'")),
        ("22P05", format!("gen_random_uuid(), 'mail', '{{\"{SECRET}\": \"\\u0000\"}}'")),
        (
            "22003",
            format!(
                "gen_random_uuid(), 'mail', '\"{SECRET}\"', p_priority => 99999999999::bigint::int"
            ),
        ),
        ("22007", format!("gen_random_uuid(), 'mail', p_run_at => '{SECRET}'")),
        ("22008", format!("gen_random_uuid(), 'mail', '\"{SECRET}\"', p_run_at => '2026-02-31'")),
    ] {
        let error = failed(&producer, &format!("select fairclaim.dispatch_job({value})")).await;
        assert_eq!(error.sqlstate(), Some(code), "{error:?}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
        assert!(!error.is_transient());
    }
}
