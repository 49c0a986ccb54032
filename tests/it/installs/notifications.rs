//! A queue of notifications that any login has filled. It is filled here where it can be made small (`max_notify_queue_pages`, from
//! PostgreSQL 17 on): else it holds gigabytes.

use std::{future::Future, time::Duration};

use private_postgres::{PrivateServer, find_binaries};
use serde_json::Value;
use tokio_postgres::{Client as Session, error::SqlState};

use super::alone::{administrate, install};
use crate::{
    calls::{claim_job, claim_jobs, dispatch, settle, settle_after, tenant, tick},
    support::{Client, connect},
};

/// Long enough for anything that does not wait for somebody else.
const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, call: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, call).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

/// A server whose queue of notifications holds half a megabyte, or none where that cannot be.
async fn server() -> Option<PrivateServer> {
    if find_binaries(true).is_ok_and(|found| found.major() < 17) {
        println!(
            "a full queue of notifications: NOT RUN, before PostgreSQL 17 it cannot be made small"
        );
        return None;
    }
    let server = PrivateServer::builder()
        .setting("fsync", "off")
        .setting("max_prepared_transactions", "5")
        .setting("max_notify_queue_pages", "64")
        .start()
        .await
        .expect("a server");
    server.create_login("app", "createrole").await.expect("a login");
    server.create_login("nobody", "").await.expect("a login");
    server.create_database("app", "app").await.expect("a database");
    Some(server)
}

async fn usage(session: &Session) -> f64 {
    let sql = "select pg_notification_queue_usage()";
    session.query_one(sql, &[]).await.expect(sql).get(0)
}

/// A login without any role listens and falls behind, and notifies until the queue is so full; whether it got so far.
async fn fill(url: &str, most: f64) -> (Session, Session) {
    let behind = connect(url).await.into_driver();
    for statement in ["listen spam", "begin", "select 1"] {
        behind.batch_execute(statement).await.expect(statement);
    }
    let loud = connect(url).await.into_driver();
    let mut n = 0;
    while usage(&loud).await < most {
        n += 1;
        let notify = format!("select pg_notify('spam', '{n}' || repeat('x', 7000))");
        if let Err(error) = loud.batch_execute(&notify).await {
            assert_eq!(error.code().map(SqlState::code), Some("54000"), "{error:?}");
            assert!(most > 0.9, "full, and not {most}");
            break;
        }
        assert!(n < 500, "it does not fill");
    }
    (behind, loud)
}

/// Everything that tells idle workers something, while one sleeps.
async fn everything_commits(worker: &Client) {
    for name in ["a", "b"] {
        let rest =
            "select count(*) from fairclaim.claim_jobs('sleeper', null, 1, p_idle_for => 60)";
        let none = soon("a claim", worker.query_one(rest, &[])).await.expect("claim_jobs");
        assert_eq!(none.get::<_, i64>(0), 0, "{name}");
        soon("a dispatch", dispatch(worker, tenant(1), "mail")).await;
        let later = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '2 s')";
        soon("a delayed job", worker.query_one(later, &[&tenant(1)])).await.expect("dispatch_job");
        let job = soon("a claim", claim_job(worker, "w")).await.expect("a job");
        assert!(soon("a release", settle(worker, &job, "release")).await.accepted);
        let job = soon("a claim", claim_job(worker, "w")).await.expect("the same job");
        assert!(soon("a retry", settle_after(worker, &job, "retry", Some(0.0))).await.accepted);
        let jobs = soon("a claim", claim_jobs(worker, 10, &mut None)).await;
        for job in &jobs {
            assert!(soon("an end", settle(worker, job, "fail")).await.accepted);
        }
        let again = "select count(*) from fairclaim.retry_jobs(null, array[$1::uuid])";
        soon("a retry", worker.query_one(again, &[&job.id])).await.expect("retry_jobs");
        let queue = format!("q-{name}");
        for verb in ["pause_queue", "resume_queue"] {
            let sql = format!("select count(*) from fairclaim.{verb}($1)");
            soon(verb, worker.query_one(&sql, &[&queue])).await.expect(verb);
        }
        let ticked = soon("a tick", tick(worker)).await;
        assert_eq!(ticked.get::<_, Vec<String>>("failed"), Vec::<String>::new());
        while let Some(job) = soon("a claim", claim_job(worker, "w")).await {
            settle(worker, &job, "complete").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fills_the_queue_of_notifications_fails_and_holds_up_nobodys_commit() {
    let Some(server) = server().await else { return };
    install(&server, "app").await;
    let worker = connect(&server.url("app", "app")).await;
    everything_commits(&worker).await;
    let (behind, loud) = fill(&server.url("app", "nobody"), 0.6).await;
    let before = usage(&loud).await;
    assert!((0.5..0.9).contains(&before), "{before}");
    everything_commits(&worker).await;
    let after = usage(&loud).await;
    assert!((before - after).abs() < 1e-9, "nobody adds to it: {before}, {after}");
    let (another, _loud) = fill(&server.url("app", "nobody"), 0.999).await;
    everything_commits(&worker).await;

    // as soon as it empties, sleepers are woken again
    drop((behind, another));
    let heard = tokio::time::timeout(SOON, async {
        while usage(&loud).await >= 0.5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    heard.await.expect("it empties");
    everything_commits(&worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_dropped_while_the_queue_of_notifications_is_full() {
    let Some(server) = server().await else { return };
    install(&server, "app").await;
    let worker = connect(&server.url("app", "app")).await;
    worker.batch_execute("set role fairclaim_owner").await.expect("set role");
    worker
        .batch_execute(include_str!("../../../sql/testing/clock.sql"))
        .await
        .expect("the test clock");
    let later =
        "update fairclaim_internal.test_clock set shift = shift + interval '30 days'; reset role";
    worker.batch_execute(later).await.expect(later);
    tick(&worker).await;
    let (_behind, loud) = fill(&server.url("app", "nobody"), 0.999).await;
    let error = loud.batch_execute("notify spam, 'one more'").await;
    assert!(error.is_err() || usage(&loud).await > 0.9, "it is full");
    let drop = "select to_jsonb(d) from fairclaim.drop_ranges() d";
    let dropped = async || -> Value {
        soon("a drop", worker.query_one(drop, &[])).await.expect("drop_ranges").get(0)
    };
    assert_eq!(dropped().await["ranges_dropped"], 1);
    // without the right to make something temporary there is no other way than a notification
    administrate(&server, &["revoke temporary on database app from public"]).await;
    assert_eq!(dropped().await, serde_json::json!({"ranges_dropped": 0, "ranges_in_use": 1}));
    administrate(&server, &["grant temporary on database app to public"]).await;
    assert_eq!(dropped().await["ranges_dropped"], 1);
}
