//! What needs a server of its own: logical decoding, standbys, other encodings, tablespaces, logins and languages changed.

use fairclaim::{Client, Dispatch, Error, JobFilter, Level, MigrateOptions, Status, Tenant};
use private_postgres::PrivateServer;
use serde_json::json;
use tokio_postgres::Client as Session;

use crate::{
    calls::{Settled, claim_job, dispatch, dispatch_many, refused, settle, tenant, tick},
    support::connect,
};

async fn server(settings: &[(&str, &str)]) -> PrivateServer {
    let server = PrivateServer::builder()
        .setting("fsync", "off")
        .settings(settings.iter().copied())
        .start()
        .await
        .expect("a server");
    server.create_login("app", "createrole").await.expect("a login");
    server.create_database("app", "app").await.expect("a database");
    server
}

async fn client(server: &PrivateServer, database: &str) -> Client {
    Client::connect(&server.url(database, "app")).await.expect("connect")
}

pub(super) async fn install(server: &PrivateServer, database: &str) -> Client {
    let client = client(server, database).await;
    client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
    client
}

fn mail(text: &str) -> Dispatch {
    Dispatch::raw(Tenant::named("acme").expect("a name"), "mail", json!({ "text": text }))
        .expect("a payload")
}

/// A session of the superuser, and what it is to do.
pub(super) async fn administrate(server: &PrivateServer, statements: &[&str]) {
    let superuser = connect(&server.superuser_url("app")).await;
    for statement in statements {
        superuser.batch_execute(statement).await.expect(statement);
    }
}

fn hint_of(failed: Result<impl std::fmt::Debug, Error>) -> String {
    failed.expect_err("it must fail").hint().expect("a hint").to_owned()
}

/// How many inserts and deletes a subscriber of everything would have got.
async fn decoded(session: &Session) -> (i64, i64) {
    let sql = "select count(*) filter (where get_byte(data, 0) = ascii('I')), count(*) filter (where get_byte(data, 0) = ascii('D'))
                 from pg_logical_slot_get_binary_changes('cdc', null, null, 'proto_version', '1', 'publication_names', 'cdc')";
    let row = session.query_one(sql, &[]).await.expect("decoding");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_all_tables_gets_every_change_and_jobs_go_on() {
    let server = server(&[("wal_level", "logical")]).await;
    let client = install(&server, "app").await;
    let superuser =
        tokio_postgres::connect(&server.superuser_url("app"), tokio_postgres::NoTls).await;
    let (superuser, connection) = superuser.expect("connect");
    tokio::spawn(connection);
    for statement in [
        "create publication cdc for all tables",
        "select pg_create_logical_replication_slot('cdc', 'pgoutput')",
    ] {
        superuser.batch_execute(statement).await.expect(statement);
    }
    let id = client.dispatch(mail("a")).await.expect("dispatch");
    let session = connect(&server.url("app", "app")).await;
    let job = claim_job(&session, "worker").await.expect("a job");
    assert_eq!((job.id, settle(&session, &job, "fail").await), (id, Settled::as_status("failed")));
    client.retry(None, &[id]).await.expect("retry");
    let job = claim_job(&session, "worker").await.expect("a job");
    client.cancel(None, &[id]).await.expect("cancel");
    assert_eq!(settle(&session, &job, "release").await, Settled::as_status("cancelled"));
    for _ in 0..2 {
        tick(&session).await;
    }
    // as a tick does with the wishes of jobs that have ended; the installer may be the owner
    let wishes = "delete from fairclaim_internal.cancel_request";
    session.batch_execute(wishes).await.expect(wishes);
    let (inserts, deletes) = decoded(&superuser).await;
    // job, ready, running, finished, error, ready, running, wish, finished; out of ready, running, finished, ready, running
    assert!(inserts >= 9 && deletes >= 5, "{inserts} inserts, {deletes} deletes");
    superuser.batch_execute("select pg_drop_replication_slot('cdc')").await.expect("drop the slot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_encoding_installs_and_runs_jobs() {
    let server = server(&[]).await;
    for (encoding, fits, foreign) in [
        ("LATIN1", "caf\u{e9}", "\u{20ac}"),
        ("LATIN9", "\u{20ac}", "\u{65e5}"),
        ("EUC_JP", "\u{65e5}", "\u{e3f}"),
    ] {
        let name = encoding.to_lowercase();
        let create = format!(
            "create database {name} owner app encoding '{encoding}' locale 'C' template template0"
        );
        administrate(&server, &[&create]).await;
        let client = install(&server, &name).await;
        let id = client.dispatch(mail(fits)).await.expect("dispatch");
        let error = client.dispatch(mail(foreign)).await.expect_err("it cannot be stored");
        assert!(
            !format!("{error} {error:?}").contains(foreign),
            "no payload in an error: {error:?}"
        );
        let session = connect(&server.url(&name, "app")).await;
        let job = claim_job(&session, "worker").await.expect("a job");
        assert_eq!(
            (job.id, settle(&session, &job, "complete").await),
            (id, Settled::as_status("completed"))
        );
        tick(&session).await;
        let row = client.job(id).await.expect("job").expect("it is there");
        assert_eq!((row.status, row.payload), (Status::Completed, Some(json!({ "text": fits }))));
        let diagnosis = client.diagnose().await.expect("a diagnosis");
        let errors: Vec<_> =
            diagnosis.findings.iter().filter(|found| found.level == Level::Error).collect();
        assert!(errors.is_empty(), "{encoding}: {errors:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_standby_is_asked_for_is_answered_or_refused_with_where_to_go() {
    let server = server(&[]).await;
    let url = server.url("app", "app");
    let id = install(&server, "app").await.dispatch(mail("a")).await.expect("dispatch");
    // a primary that nobody can reach: the standby serves what it had
    administrate(&server, &["copy (select) to program 'cat > standby.signal'"]).await;
    server.restart().await.expect("restart");
    let client = Client::connect(&url).await.expect("connect");
    let session = connect(&url).await;
    for call in [
        "fairclaim.dispatch_job(gen_random_uuid(), 'mail')",
        "fairclaim.dispatch_jobs(jsonb_build_array(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')))",
        "fairclaim.claim_job('worker')",
        "fairclaim.claim_jobs('worker', null, 1)",
        "fairclaim.tick()",
        "fairclaim.prune()",
        "fairclaim.pause_queue('mail')",
    ] {
        let error =
            Error::from(session.query(&format!("select {call}"), &[]).await.expect_err(call));
        assert_eq!(error.sqlstate(), Some("25006"), "{call}: {error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("connect to the primary")),
            "{call}: {error:?}"
        );
        assert!(error.is_transient(), "it may be a primary soon");
    }
    let told = [
        hint_of(client.dispatch(mail("b")).await),
        hint_of(client.cancel(None, &[id]).await),
        hint_of(client.migrate(&MigrateOptions::default()).await),
    ];
    assert!(told.iter().all(|hint| hint.contains("connect to the primary")), "{told:?}");
    let jobs = client.jobs(&JobFilter::default()).await.expect("a list may be read");
    assert_eq!(jobs.jobs.len(), 1);
    assert!(client.job(id).await.expect("job").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_does_not_inherit_its_role_is_not_told_to_ask_for_it_again() {
    let server = server(&[]).await;
    install(&server, "app").await.dispatch(mail("a")).await.expect("dispatch");
    server.create_login("w", "noinherit").await.expect("a login");
    administrate(&server, &["grant fairclaim_worker to w"]).await;
    let url = server.url("app", "w");
    let session = connect(&url).await;
    let claim = "select * from fairclaim.claim_jobs('w', null, 1)";
    let error = Error::from(session.query(claim, &[]).await.expect_err("it inherits nothing"));
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("NOINHERIT") && hint.contains("inherit true")),
        "{error:?}"
    );
    let finding = async || {
        let client = Client::connect(&url).await.expect("connect");
        let diagnosis = client.diagnose().await.expect("a diagnosis");
        let found = diagnosis.findings.into_iter().find(|found| found.name == "login_roles");
        found.expect("login_roles")
    };
    let found = finding().await;
    assert!(
        found.level == Level::Warning
            && found.seen.contains("fairclaim_worker and does not inherit"),
        "{found:?}"
    );
    let advice = found.advice.expect("advice");
    assert!(advice.contains("alter role ... inherit") && advice.contains("set role"), "{advice}");

    // each of the ways that it tells
    administrate(&server, &["alter role w set role = 'fairclaim_worker'"]).await;
    assert_eq!(finding().await.level, Level::Ok);
    let row = connect(&url).await.query_one(claim, &[]).await;
    assert_eq!(row.expect("a job").get::<_, &str>("type"), "mail");
    administrate(&server, &["alter role w reset role", "alter role w inherit"]).await;
    let newer = connect(&server.superuser_url("app")).await;
    let newer =
        newer.query_one("select current_setting('server_version_num')::int >= 160000", &[]).await;
    if newer.expect("a version").get(0) {
        administrate(&server, &["grant fairclaim_worker to w with inherit true"]).await;
    }
    assert_eq!(finding().await.level, Level::Ok);
    connect(&url).await.query(claim, &[]).await.expect("it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_plpgsql_is_not_for_everybody_installs_as_the_hint_says() {
    let server = server(&[]).await;
    administrate(&server, &["revoke usage on language plpgsql from public"]).await;
    let client = client(&server, "app").await;
    let options = MigrateOptions::default().grant_self(true);
    let hint = hint_of(client.migrate(&options).await);
    assert!(hint.contains("grant usage on language plpgsql to public"), "{hint}");
    administrate(&server, &["grant usage on language plpgsql to public"]).await;
    client.migrate(&options).await.expect("migrate");
    administrate(&server, &["revoke usage on language plpgsql from public"]).await;
    client.dispatch(mail("a")).await.expect("dispatch");
    let session = connect(&server.url("app", "app")).await;
    let job = claim_job(&session, "worker").await.expect("a job");
    settle(&session, &job, "complete").await;
    tick(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_beyond_the_logins_temporary_space_is_refused_with_what_to_raise() {
    let server = server(&[]).await;
    let client = install(&server, "app").await;
    administrate(
        &server,
        &["alter role app set temp_file_limit = '64kB'", "alter role app set work_mem = '64kB'"],
    )
    .await;
    let small = Client::connect(&server.url("app", "app")).await.expect("connect");
    let text = "x".repeat(1_000);
    let error = small.dispatch_many((0..5_000).map(|_| mail(&text))).await.expect_err("too much");
    assert_eq!(error.sqlstate(), Some("53400"), "{error:?}");
    assert!(!error.is_transient(), "the same batch needs the same space again");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("temp_file_limit") && hint.contains("fewer or smaller"), "{hint}");
    assert!(client.jobs(&JobFilter::default()).await.expect("jobs").jobs.is_empty(), "all or none");
    small.dispatch_many((0..10).map(|_| mail(&text))).await.expect("fewer");
}

/// A tablespace of the login's own is not the owner's: ranges are made where the database is.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_a_tablespace_of_its_own_installs_ticks_and_prunes() {
    let server = server(&[]).await;
    let superuser = connect(&server.superuser_url("app")).await;
    superuser.batch_execute("set allow_in_place_tablespaces = on").await.expect("set");
    superuser
        .batch_execute("create tablespace own owner app location ''")
        .await
        .expect("a tablespace");
    superuser.batch_execute("alter role app set default_tablespace = 'own'").await.expect("set");
    install(&server, "app").await;
    let session = connect(&server.url("app", "app")).await;
    session.batch_execute("set role fairclaim_owner").await.expect("set role");
    session.batch_execute("set default_tablespace = ''").await.expect("set");
    session
        .batch_execute(include_str!("../../../sql/testing/clock.sql"))
        .await
        .expect("the test clock");
    session.batch_execute("reset default_tablespace").await.expect("reset");
    dispatch_many(&session, tenant(1), "default", "mail", 3).await;
    let ranges = async || {
        let sql =
            "select count(*), max(ends_at) > fairclaim.clock() from fairclaim_internal.id_range";
        let row = session.query_one(sql, &[]).await.expect("id_range");
        (row.get::<_, i64>(0), row.get::<_, bool>(1))
    };
    let (before, _) = ranges().await;
    for _ in 0..4 {
        session
            .batch_execute("update fairclaim_internal.test_clock set shift = shift + '2 days'")
            .await
            .expect("later");
        tick(&session).await;
    }
    let (after, ahead) = ranges().await;
    assert!(after > before && ahead, "{before} ranges, then {after}");
    dispatch(&session, tenant(1), "mail").await;
    session.query("select * from fairclaim.prune()", &[]).await.expect("prune");
    let elsewhere = "select c.relname::text from pg_class c where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.reltablespace <> 0";
    let rows = session.query(elsewhere, &[]).await.expect("pg_class");
    let elsewhere: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(elsewhere, [] as [&str; 0], "all of it is where the database is");
    let forbidden = "create table mine (x int) tablespace own";
    drop(refused(session.batch_execute(forbidden).await, "42501"));
}
