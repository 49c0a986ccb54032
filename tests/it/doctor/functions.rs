//! `fairclaim.doctor_findings` itself, as psql, a dashboard or a client in another language asks
//! it.

use tokio_postgres::error::SqlState;

use super::{documented, examine, find};
use crate::{
    calls::{dispatch, tenant, tick},
    support::{Client, TestDb, connect, logins},
};

/// What the client of the library judges itself.
const OF_THE_CLIENT: [&str; 8] =
    ["connection", "server_version", "encoding", "standby", "tls", "pooler", "clock", "schema"];

type Found = (String, String, String, Option<String>);

async fn findings(session: &Client) -> Vec<Found> {
    let sql = "select level, name, seen, advice from fairclaim.doctor_findings()";
    let rows = session.query(sql, &[]).await.expect(sql);
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// One job waits, another tenant is paused, and so is a queue.
async fn scene() -> TestDb {
    let db = TestDb::new().await;
    dispatch(&db.producer().await, tenant(2), "mail").await;
    let sql = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 0)";
    db.owner().await.execute(sql, &[&tenant(1)]).await.expect("a limit");
    let operator = db.session(logins::PLAIN_OPERATOR).await;
    operator.query("select fairclaim.pause_queue('quiet')", &[]).await.expect("a paused queue");
    tick(&db.worker().await).await;
    db
}

#[tokio::test]
async fn operators_and_observers_are_told_by_sql_and_nobody_else_is() {
    let db = scene().await;
    for login in [logins::PLAIN_OPERATOR, logins::OBSERVER] {
        let found = findings(&db.session(login).await).await;
        let seen = |name: &str| {
            let of_it = found.iter().find(|(_, found, ..)| found == name);
            of_it.map(|(level, _, seen, _)| format!("{level}: {seen}")).unwrap_or_default()
        };
        assert_eq!(seen("functions"), "ok: every function is the one of this build");
        assert_eq!(seen("checksum"), "ok: every migration is the one of this build");
        assert_eq!(seen("leases"), "ok: 0 jobs running; none has waited for its return");
        assert!(
            seen("limits")
                .starts_with("note: 1 tenant with one, 0 of queues or by default; 1 of 0")
        );
        assert!(seen("paused_queues").starts_with("note: nothing is claimed from quiet (for "));
        assert!(seen("ticks").starts_with("ok: the last worked "), "{}", seen("ticks"));
        assert!(seen("backlog").starts_with("ok: of the jobs looked at the oldest"));
        assert!(seen("login_roles").starts_with("ok: this login has fairclaim_o"));
        for (level, name, seen, advice) in &found {
            assert_eq!(advice.is_none(), level == "ok", "{name}: {seen}");
            assert!(documented().contains(&name.as_str()), "{name}");
            assert!(!seen.contains(&tenant(1).to_string()), "no tenant is named: {seen}");
        }
    }
    for login in [logins::PRODUCER, logins::WORKER, logins::TENANT, logins::STRANGER] {
        let session = db.session(login).await;
        for sql in [
            "select * from fairclaim.doctor_findings()",
            "select * from fairclaim.doctor_topic('ticks')",
            "select * from fairclaim.doctor_transactions()",
        ] {
            let error = session.query(sql, &[]).await.expect_err(login);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{login}: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_tells_what_sql_tells_and_what_only_a_client_can() {
    let db = scene().await;
    let diagnosis = examine(&db, logins::OBSERVER).await;
    let mut told = findings(&db.session(logins::OBSERVER).await).await.into_iter();
    let others = diagnosis.findings.iter().filter(|f| !OF_THE_CLIENT.contains(&f.name.as_str()));
    for finding in others {
        let (level, name, _, advice) = told.next().expect("as many");
        assert_eq!(
            (finding.level.as_str(), &finding.name, &finding.advice),
            (level.as_str(), &name, &advice)
        );
    }
    assert_eq!(told.next(), None);
}

/// What `migrate` stores is what a function is compared with where no client says what it expects.
#[tokio::test]
async fn a_function_that_was_changed_is_seen_by_sql_alone_and_is_as_before_after_migrate() {
    let db = TestDb::new().await;
    let (owner, operator) = (db.owner().await, db.session(logins::PLAIN_OPERATOR).await);
    let level = async || {
        let found = findings(&operator).await;
        let of_it = found.into_iter().find(|(_, name, ..)| name == "functions");
        of_it.map(|(level, _, seen, _)| (level, seen)).expect("a finding")
    };
    assert_eq!(level().await.0, "ok");
    let change = "create or replace function fairclaim_internal.wake(p_now timestamptz)
                  returns void language sql as 'select'";
    owner.batch_execute(change).await.expect(change);
    let (told, seen) = level().await;
    assert!(told == "warning" && seen.contains("fairclaim_internal.wake("), "{told}: {seen}");
    let installer = db.client(logins::INSTALLER).await;
    installer.migrate(&fairclaim::MigrateOptions::default()).await.expect("migrate");
    assert_eq!(level().await.0, "ok");
}

#[tokio::test]
async fn one_topic_can_be_asked_for_and_another_word_is_refused() {
    let db = TestDb::new().await;
    let session = db.session(logins::OBSERVER).await;
    let sql = "select name from fairclaim.doctor_findings($1)";
    let rows = session.query(sql, &[&"queues"]).await.expect(sql);
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["paused_queues"]);
    let error = session.query(sql, &[&"nothing"]).await.expect_err("refused");
    let refusal = error.as_db_error().expect("an answer");
    assert_eq!(
        (refusal.code().code(), refusal.detail()),
        ("JQ004", Some(r#"{"argument": "p_topic", "field": "topic"}"#))
    );
    assert!(!refusal.message().contains("nothing"), "{}", refusal.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_cannot_be_looked_at_is_a_finding_and_stops_no_other() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let lock = "begin; lock table fairclaim_internal.ready in access exclusive mode";
    owner.batch_execute(lock).await.expect(lock);
    let found = findings(&connect(&db.url(logins::OBSERVER)).await).await;
    let failed: Vec<&Found> = found.iter().filter(|(_, name, ..)| name == "failed_check").collect();
    let seen = |about: &str| {
        let words = format!("could not look at {about}: SQLSTATE 55P03");
        failed.iter().any(|(level, _, seen, _)| level == "warning" && *seen == words)
    };
    assert!(seen("jobs without a lane"), "{failed:?}");
    assert_eq!(found.iter().filter(|(_, name, ..)| name == "strays").count(), 0);
    assert_eq!(found.iter().filter(|(_, name, ..)| name == "paused_queues").count(), 1);
    assert_eq!(found.iter().filter(|(_, name, ..)| name == "wraparound").count(), 1);
    owner.batch_execute("rollback").await.expect("rollback");
    assert_eq!(find(&examine(&db, logins::OBSERVER).await, "failed_check"), None);
}
