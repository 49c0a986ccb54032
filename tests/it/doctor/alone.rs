//! What needs a server of its own: other databases beside, roles changed, transactions prepared.

use std::time::Duration;

use fairclaim::{Client, Level, MigrateOptions};
use private_postgres::PrivateServer;

use super::{assert_found, connect, examine_at, find};
use crate::support::waiting::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server with one installation in the database `app` of the login `app`, which has every role, and ticks.
async fn server() -> PrivateServer {
    let settings = [("max_prepared_transactions", "2"), ("max_slot_wal_keep_size", "1MB")];
    let server = PrivateServer::builder().settings(settings).start().await.expect("a server");
    server.create_login("app", "createrole in role pg_monitor").await.expect("a login");
    install(&server, "app").await;
    server
}

async fn install(server: &PrivateServer, database: &str) {
    server.create_database(database, "app").await.expect("a database");
    let client = Client::connect(&server.url(database, "app")).await.expect("connect");
    client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
    let session = connect(&server.url(database, "app")).await;
    session.batch_execute("select * from fairclaim.tick()").await.expect("tick");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_as_it_should_be_has_no_trouble_and_each_thing_that_is_done_to_it_is_told() {
    let server = server().await;
    let url = server.url("app", "app");
    let diagnosis = examine_at(&url).await;
    let troubles: Vec<_> = diagnosis.findings.iter().filter(|f| f.level > Level::Ok).collect();
    assert!(troubles.is_empty() && diagnosis.worst == Level::Ok, "{troubles:#?}");

    let app = connect(&url).await;
    app.batch_execute("begin; select fairclaim.tenant_uuid('a'); prepare transaction 'forgotten'")
        .await
        .expect("prepare");
    assert_found(
        &examine_at(&url).await,
        "prepared_transaction",
        Level::Note,
        &["1 prepared", "app"],
    );
    app.batch_execute("rollback prepared 'forgotten'").await.expect("rollback prepared");
    assert_eq!(find(&examine_at(&url).await, "prepared_transaction"), None);

    install(&server, "other").await;
    assert_found(&examine_at(&url).await, "second_installation", Level::Warning, &["other"]);

    let superuser = connect(&server.superuser_url("app")).await;
    for (change, undo, name, words) in [
        (
            "alter role fairclaim_worker login",
            "alter role fairclaim_worker nologin",
            "role_attributes",
            &["fairclaim_worker"][..],
        ),
        (
            "alter role fairclaim_observer rename to somebody_else",
            "alter role somebody_else rename to fairclaim_observer",
            "role_attributes",
            &["missing", "fairclaim_observer"],
        ),
        (
            "create role anon; grant fairclaim_tenant to anon",
            "revoke fairclaim_tenant from anon",
            "web_roles",
            &["anon has fairclaim_tenant"],
        ),
        (
            "alter function fairclaim.tick owner to app",
            "alter function fairclaim.tick owner to fairclaim_owner",
            "function_security",
            &["tick"],
        ),
    ] {
        superuser.batch_execute(change).await.expect(change);
        assert_found(&examine_at(&url).await, name, Level::Error, words);
        superuser.batch_execute(undo).await.expect(undo);
        let after = examine_at(&url).await;
        assert!(
            find(&after, name).is_none_or(|finding| finding.level == Level::Ok),
            "{name} after {undo}"
        );
    }
    let diagnosis = examine_at(&server.superuser_url("app")).await;
    assert_found(&diagnosis, "login_roles", Level::Warning, &["superuser"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_that_was_forgotten_is_a_warning() {
    let server = server().await;
    let url = server.url("app", "app");
    let app = connect(&url).await;
    app.batch_execute("begin; select fairclaim.tenant_uuid('a'); prepare transaction 'forgotten'")
        .await
        .expect("prepare");
    app.batch_execute("set role fairclaim_owner").await.expect("set role");
    app.batch_execute(include_str!("../../../sql/testing/clock.sql"))
        .await
        .expect("the test clock");
    app.batch_execute("update fairclaim_internal.test_clock set shift = '1 hour'")
        .await
        .expect("an hour later");
    assert_found(&examine_at(&url).await, "prepared_transaction", Level::Warning, &["prepared"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_nobody_reads_and_a_server_that_never_vacuums_are_told() {
    let server = server().await;
    let url = server.url("app", "app");
    let superuser = connect(&server.superuser_url("app")).await;
    let slot = "select pg_create_physical_replication_slot('forgotten', true)";
    superuser.batch_execute(slot).await.expect("a slot");
    assert_eq!(find(&examine_at(&url).await, "replication_slot"), None, "it keeps little");
    for _ in 0..4 {
        superuser.batch_execute("select pg_switch_wal()").await.expect("pg_switch_wal");
        superuser.batch_execute("checkpoint").await.expect("checkpoint");
    }
    let told = ["slot forgotten is not in use"];
    assert_found(&examine_at(&url).await, "replication_slot", Level::Warning, &told);

    let off = ["alter system set autovacuum = off", "select pg_reload_conf()"];
    for statement in off {
        superuser.batch_execute(statement).await.expect(statement);
    }
    until("the server has read it", PATIENCE, || async {
        let row = superuser.query_one("show autovacuum", &[]).await.expect("show");
        (row.get::<_, &str>(0) == "off").then_some(())
    })
    .await;
    assert_found(&examine_at(&url).await, "autovacuum", Level::Error, &["autovacuum"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_encoding_is_none_is_refused() {
    let server = server().await;
    let superuser = connect(&server.superuser_url("app")).await;
    superuser
        .batch_execute(
            "create database bytes owner app encoding 'SQL_ASCII' locale 'C' template template0",
        )
        .await
        .expect("a database");
    let diagnosis = examine_at(&server.url("bytes", "app")).await;
    assert_found(&diagnosis, "encoding", Level::Error, &["SQL_ASCII"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_connections_are_nearly_used_up_is_told() {
    let few = [("max_connections", "30"), ("superuser_reserved_connections", "3")];
    let server = PrivateServer::builder().settings(few).start().await.expect("a server");
    server.create_login("app", "").await.expect("a login");
    server.create_database("app", "app").await.expect("a database");
    let url = server.url("app", "app");
    // the examination has a session or two of its own
    let mut taken = Vec::new();
    for (sessions, level) in [(15, Level::Ok), (22, Level::Warning), (15, Level::Ok)] {
        taken.truncate(sessions);
        while taken.len() < sessions {
            taken.push(connect(&url).await);
        }
        let client = Client::connect(&url).await.expect("connect");
        until("the server counts as many", PATIENCE, || async {
            let diagnosis = client.diagnose().await.expect("a diagnosis");
            let found = find(&diagnosis, "connections").expect("a finding");
            assert!(found.seen.ends_with(" of 27 are used"), "{found:?}");
            (found.level == level).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_logs_payloads_and_one_that_is_a_standby_are_told() {
    let server = server().await;
    let url = server.url("app", "app");
    let superuser = connect(&server.superuser_url("app")).await;
    for (setting, value) in [("log_statement", "'all'"), ("log_parameter_max_length_on_error", "8")]
    {
        superuser
            .batch_execute(&format!("alter role app set {setting} = {value}"))
            .await
            .expect(setting);
        let diagnosis = examine_at(&url).await;
        assert_found(&diagnosis, "logged_parameters", Level::Warning, &["payloads"]);
        superuser.batch_execute("alter role app reset all").await.expect("reset");
        assert_eq!(find(&examine_at(&url).await, "logged_parameters"), None, "{setting}");
    }

    // a primary that nobody can reach: the standby serves what it had
    let signal = "copy (select) to program 'cat > standby.signal'";
    superuser.batch_execute(signal).await.expect(signal);
    server.restart().await.expect("restart");
    let diagnosis = examine_at(&url).await;
    assert_found(&diagnosis, "standby", Level::Error, &["refuses every write"]);
    assert_found(&diagnosis, "schema", Level::Ok, &[]);
    let superuser = connect(&server.superuser_url("app")).await;
    superuser.batch_execute("select pg_promote()").await.expect("pg_promote");
    assert_eq!(find(&examine_at(&url).await, "standby"), None);
}
