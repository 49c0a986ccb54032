//! What the worker's log says of attempts that ended, of a database that is away, and of what keeps
//! it idle.

use std::time::Duration;

use fairclaim::{Attempt, Dispatch, JobError, MigrateOptions, Outcome, Status};
use private_postgres::PrivateServer;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    stage::{PATIENCE, Running, Stage, acme, job, millis},
    traces::{Entry, Recorder},
};
use crate::support::waiting::until;

/// Ends as its job says.
async fn end(how: Value, _attempt: Attempt) -> Result<Outcome, JobError> {
    match how.as_str() {
        Some("complete") => Ok(Outcome::Complete),
        Some("snooze") => Ok(Outcome::Snooze(Duration::from_secs(600))),
        Some("later") => Err(JobError::retry_after("the server is busy", Duration::from_secs(90))),
        Some("hopeless") => Err(JobError::fail("no such user").code("unknown_user")),
        Some("panic") => panic!("a bug"),
        Some("parse") => Err("x".parse::<i32>().map(drop).unwrap_err().into()),
        _ => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Outcome::Complete)
        }
    }
}

/// The one line of a level that begins so.
fn line(events: &[Entry], level: &str, words: &str) -> Entry {
    let mut found = events.iter().filter(|event| event.begins(level, words));
    let line = found.next().unwrap_or_else(|| panic!("no {level} {words:?}: {events:#?}"));
    assert!(found.next().is_none(), "{words:?} stands there twice");
    line.clone()
}

// one thread, whose default the recorder is
#[tokio::test]
async fn each_attempt_has_a_line_that_says_how_it_ended_and_what_happens_next() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let ends = ["complete", "snooze", "later", "hopeless", "panic"];
    for how in ends {
        stage.dispatch("end", how.into()).await;
    }
    let last = stage.send(job("end", json!("parse")).max_attempts(1)).await;
    let slow = stage.send(job("end", json!("sleep")).timeout(millis(100))).await;
    // so many that no line of a type of five a second is left out
    let worker = stage.worker().await.queue("default", 1).handler_for("end", end).drain(true);
    Running::start(worker).ended().await;
    let events: Vec<Entry> =
        recorder.events().into_iter().filter(|event| event.is_of("fairclaim::worker")).collect();

    let later =
        line(&events, "WARN", "attempt 1 of 25 failed: the server is busy; next try in 90 s");
    assert_eq!(later.field("type"), Some("end"));
    assert_eq!(later.field("next_try_in_seconds"), Some("90.0"));
    let hopeless =
        line(&events, "WARN", "attempt 1 of 25 failed: no such user; it is not tried again");
    assert_eq!(hopeless.field("code"), Some("unknown_user"));
    line(
        &events,
        "WARN",
        "attempt 1 of 25 failed: the handler panicked: a bug; next try in about 15 s",
    );
    let parsed = line(
        &events,
        "WARN",
        "attempt 1 of 1 failed: invalid digit found in string; no attempt is left",
    );
    assert_eq!(parsed.field("id"), Some(&*last.to_string()));
    let timed_out = line(
        &events,
        "WARN",
        "attempt 1 of 25 failed: no end within 0.1 s; next try in about 15 s",
    );
    assert_eq!(
        (timed_out.field("id"), timed_out.field("code")),
        (Some(&*slow.to_string()), Some("timeout"))
    );
    line(&events, "DEBUG", "completed after ");
    line(&events, "DEBUG", "snoozed for 10 min");
    // what the line says of the next try is what the database does
    let row = stage.job(slow).await;
    let wait = row.next_retry_at.expect("it waits").duration_since(row.created_at).expect("later");
    assert!((11..60).contains(&wait.as_secs()), "{wait:?}");
}

/// Fails, so that the job is tried again at once.
async fn fail_again(_job: Value, _attempt: Attempt) -> Result<(), JobError> {
    Err(JobError::retry_after("the server is busy", millis(100)))
}

/// The tenants that the lines of failed attempts name.
fn tenants_of_failures(recorder: &Recorder) -> Vec<String> {
    let events = recorder.events();
    let failed = events.iter().filter(|event| event.begins("WARN", "attempt "));
    failed.filter_map(|event| event.field("tenant").map(str::to_owned)).collect()
}

// one thread, whose default the recorder is
#[tokio::test]
async fn a_line_names_the_tenant_by_its_name_where_it_has_one_and_by_its_uuid_otherwise() {
    let nameless = Uuid::from_u128(4711);
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    stage.dispatch("fail_again", Value::Null).await;
    stage.send(Dispatch::raw(nameless, "fail_again", Value::Null).expect("a payload")).await;
    let worker = stage.worker().await.queue("default", 2).handler_for("fail_again", fail_again);
    let running = Running::start(worker);
    // a first line may come before the database has answered: no line waits for a name
    until("failed attempts are logged with their tenants", PATIENCE, || async {
        let (tenants, spans) = (tenants_of_failures(&recorder), recorder.spans("attempt"));
        let named_span = spans.iter().any(|(_, span)| span.field("tenant") == Some("acme"));
        let named_line = tenants.iter().any(|tenant| tenant == "acme");
        (named_span && named_line && tenants.contains(&nameless.to_string())).then_some(())
    })
    .await;
    running.stop().await;
    let known = [acme().to_string(), "acme".to_owned(), nameless.to_string()];
    let tenants = tenants_of_failures(&recorder);
    assert!(tenants.iter().all(|tenant| known.contains(tenant)), "{tenants:?}");
    let named = tenants.iter().position(|tenant| tenant == "acme").expect("the name");
    assert!(!tenants[named..].contains(&known[0]), "a name that is known stays: {tenants:?}");
}

// one thread, whose default the recorder is
#[tokio::test]
async fn a_flood_of_failures_is_counted_and_not_told_one_by_one() {
    const JOBS: usize = 2000;
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let jobs = (0..JOBS).map(|_| job("end", json!("hopeless")));
    stage.producer.dispatch_many(jobs).await.expect("dispatch_many");
    let worker = stage.worker().await.queue("default", 50).handler_for("end", end).drain(true);
    let report = Running::start(worker).ended().await;
    assert_eq!(report.failed, JOBS as u64);
    let events = recorder.events();
    let of =
        |level: &str| events.iter().filter(|event| event.begins(level, "attempt 1 of")).count();
    let counted: u64 = events
        .iter()
        .filter(|event| event.level_is("WARN"))
        .filter_map(|event| event.field("failures")?.parse::<u64>().ok())
        .sum();
    assert_eq!(of("WARN") as u64 + counted, JOBS as u64, "each is told or counted");
    assert_eq!(of("WARN") + of("DEBUG"), JOBS, "and at the debug level each is told");
    assert!(of("WARN") < JOBS / 4, "{} lines", of("WARN"));
}

// one thread, whose default the recorder is
#[tokio::test]
async fn an_outage_is_two_lines_and_its_end_is_one_for_all_of_a_worker() {
    let server = PrivateServer::builder().start().await.expect("a server");
    server.create_login("app", "createrole").await.expect("a login");
    server.create_database("app", "app").await.expect("a database");
    let client = fairclaim::Client::connect(&server.url("app", "app")).await.expect("connect");
    client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let worker = fairclaim::Worker::builder(client.clone()).poll_interval(millis(50));
    let worker = worker.queue("default", 2).queue("mail", 2).handler_for("end", end);
    let worker = Running::start(worker);
    let told = |words: &str| {
        recorder
            .events()
            .iter()
            .filter(|event| event.field("message").is_some_and(|told| told.starts_with(words)))
            .count()
    };
    until("the worker starts", PATIENCE, || async {
        (told("the worker starts") > 0).then_some(())
    })
    .await;
    server.stop().await.expect("stop");
    until("it is told", PATIENCE, || async { (told("the database is away") > 0).then_some(()) })
        .await;
    tokio::time::sleep(millis(1500)).await; // time for every task to meet it
    server.restart().await.expect("restart");
    until("its end is told", PATIENCE, || async {
        (told("the database is back after") > 0).then_some(())
    })
    .await;
    let id = client.dispatch(job("end", json!("complete"))).await.expect("dispatch");
    until("it works again", PATIENCE, || async {
        let job = client.job(id).await.ok().flatten()?;
        (job.status == Status::Completed).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!((told("the database is away"), told("the worker goes on trying")), (1, 1));
    let warnings: Vec<Entry> =
        recorder.events().into_iter().filter(|event| event.level_is("WARN")).collect();
    // where one connection is back a moment before another one, that may be told too
    assert!(warnings.len() <= 3, "{warnings:#?}");
    assert_eq!(told("the database is back after"), 1);
}

// one thread, whose default the recorder is
#[tokio::test]
async fn the_queues_are_said_to_be_empty_only_if_they_are() {
    let stage = Stage::new().await;
    let drained = async |queue: &str| {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let worker = stage.worker().await.queue(queue, 1).handler_for("end", end).drain(true);
        Running::start(worker).ended().await;
        let said = recorder.events();
        said.iter()
            .filter_map(|event| event.field("message").map(str::to_owned))
            .collect::<Vec<_>>()
    };
    stage.dispatch("end", "complete".into()).await;
    let said = drained("default").await;
    assert!(said.contains(&"the queues are empty".to_owned()), "{said:#?}");

    stage.dispatch("unhandled", json!(1)).await;
    stage.dispatch("end", "later".into()).await;
    let said = drained("default").await;
    assert!(!said.contains(&"the queues are empty".to_owned()), "{said:#?}");
    for line in [
        "1 job of type unhandled in queue default: this worker has no handler for that, and no other worker that is known has one",
        "1 job of type end in queue default will be due later, the first in 90 s",
    ] {
        assert!(said.iter().any(|told| told == line), "{line}: {said:#?}");
    }
    let said = drained("defualt").await;
    let misspelt =
        "no job waits in queue defualt, or has within the last hour: is it default that is meant?";
    assert!(said.iter().any(|told| told == misspelt), "{said:#?}");
}

// one thread, whose default the recorder is
#[tokio::test]
async fn a_worker_that_starts_says_what_is_not_for_it() {
    let stage = Stage::new().await;
    stage.operator.pause_queue("mail").await.expect("pause");
    stage.send(job("end", json!("complete")).queue("mail")).await;
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let worker = stage.worker().await.queue("mail", 3).handler_for("end", end);
    let worker = Running::start(worker);
    let paused = "queue mail is paused: 1 job in it must wait";
    until("it is told", PATIENCE, || async {
        recorder.events().iter().any(|event| event.begins("WARN", paused)).then_some(())
    })
    .await;
    worker.stop().await;
    let start = line(&recorder.events(), "INFO", "the worker starts");
    assert_eq!(
        (start.field("queues"), start.field("types")),
        (Some("mail (3 at once)"), Some("end"))
    );
    let end = line(&recorder.events(), "INFO", "the worker has ended");
    assert_eq!((end.field("claimed"), end.field("failed")), (Some("0"), None));
}
