//! Behind a transaction pooler: PgBouncer lends two sessions of the server to all clients of a login.

mod settings;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use fairclaim::{
    Attempt, Client, ConnectOptions, ConnectionMode, Dispatch, ErrorKind, JobError, JobFilter,
    Level, Outcome, RawJob, State, Status, Tenant, Worker, dispatch_many_in,
};
use serde_json::json;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{
    support::{self, TestDb, connect, logins, pooler::Pooler, waiting::until},
    worker::stage::{PATIENCE, Running, acme, job, millis},
};

/// Fewer than there are clients in any of these tests.
const SESSIONS: usize = 2;

/// A database, and a pooler of one's own before it.
struct Behind {
    db: TestDb,
    pooler: Pooler,
}

impl Behind {
    async fn new() -> Self {
        Self::of(TestDb::new().await)
    }

    fn of(db: TestDb) -> Self {
        let pooler = Pooler::start(&db.direct_url(logins::OWNER), logins::ALL, SESSIONS)
            .unwrap_or_else(|why| panic!("{why}"));
        Self { db, pooler }
    }

    fn url(&self, login: &str) -> String {
        self.pooler.through(&self.db.direct_url(login))
    }

    async fn client(&self, login: &str) -> Client {
        Client::connect(&self.url(login)).await.expect("connect")
    }

    /// A connection through the pooler that is no library's.
    async fn raw(&self, login: &str) -> support::Client {
        connect(&self.url(login)).await
    }

    async fn with_mode(&self, url: &str, mode: ConnectionMode) -> fairclaim::Result<Client> {
        Client::connect_with(url, &ConnectOptions::default().mode(mode)).await
    }
}

/// What else goes through the pooler meanwhile.
async fn bustle(behind: &Behind, clients: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let client = behind.raw(logins::WORKER).await;
        tasks.push(tokio::spawn(async move {
            loop {
                client.simple_query("select pg_sleep(0.001)").await.expect("a pooled session");
            }
        }));
    }
    tasks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_found_out_and_its_absence_too() {
    let behind = Behind::new().await;
    let (pooled, direct) = (behind.url(logins::WORKER), behind.db.direct_url(logins::WORKER));
    for busy in [0, 3] {
        let others = bustle(&behind, busy).await;
        for _ in 0..5 {
            let client = Client::connect(&pooled).await.expect("connect");
            assert_eq!(client.mode(), ConnectionMode::Pooled, "{busy} others");
        }
        others.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let client = Client::connect(&direct).await.expect("connect");
    assert_eq!(client.mode(), ConnectionMode::Direct);
    let forced = behind.with_mode(&direct, ConnectionMode::Pooled).await.expect("connect");
    assert_eq!(forced.mode(), ConnectionMode::Pooled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_a_pooler_and_examines_the_rest_through_it() {
    let behind = Behind::new().await;
    let (pooled, direct) = (behind.url(logins::OPERATOR), behind.db.direct_url(logins::OPERATOR));
    let mut names = Vec::new();
    for (url, level, seen) in
        [(&pooled, Level::Note, "pooled, or it cannot be told"), (&direct, Level::Ok, "direct:")]
    {
        let client = Client::connect(url).await.expect("connect");
        let diagnosis = client.diagnose().await.expect("a diagnosis");
        let found = diagnosis.findings.iter().find(|finding| finding.name == "pooler");
        let found = found.expect("a finding");
        assert_eq!(found.level, level, "{found:?}");
        assert!(found.seen.starts_with(seen), "{found:?}");
        let advice = found.advice.as_deref();
        assert_eq!(advice.is_some_and(|text| text.contains("the server itself")), url == &pooled);
        names.push(
            diagnosis.findings.iter().map(|finding| finding.name.clone()).collect::<Vec<_>>(),
        );
    }
    assert!(names[0].len() > 20 && !names[0].contains(&"failed_check".to_owned()), "{names:?}");
    assert_eq!(names[0], names[1], "no check needs a session of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_behind_a_pooler_is_refused_and_says_what_to_do() {
    let behind = Behind::new().await;
    let (pooled, direct) = (behind.url(logins::WORKER), behind.db.direct_url(logins::WORKER));
    let error = behind.with_mode(&pooled, ConnectionMode::Direct).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    let (text, hint) = (error.to_string(), error.hint().unwrap_or_default());
    assert!(text.contains("transaction pooler"), "{text}");
    assert!(hint.contains("5432") && hint.contains("--connection auto"), "{hint}");
    assert!(!format!("{text}{hint}").contains("fc-pooler"), "{text} {hint}");
    // the same without the pooler is no mistake
    let client = behind.with_mode(&direct, ConnectionMode::Direct).await.expect("connect");
    assert_eq!(client.mode(), ConnectionMode::Direct);
}

/// The control of the refusal above: what a client would get that prepares its statements behind a pooler.
#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_behind_a_pooler_answers_with_somebody_elses() {
    let behind = Behind::new().await;
    let (one, two) = (behind.raw(logins::WORKER).await, behind.raw(logins::WORKER).await);
    // a name of one's own in every session of one's own: here both are lent the same one
    one.simple_query("prepare mine as select 'one'").await.expect("prepare");
    let taken = two.simple_query("prepare mine as select 'two'").await.expect_err("taken");
    assert_eq!(taken.code().map(tokio_postgres::error::SqlState::code), Some("42P05"));
    let rows = two.simple_query("execute mine").await.expect("it is there");
    let answer = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    assert_eq!(answer.as_deref(), Some("one"), "another client's statement");
}

/// How often each job was run.
type Runs = Arc<Mutex<HashMap<Uuid, usize>>>;

#[derive(Clone)]
struct Desk {
    runs: Runs,
    client: Client,
}

/// Every third job is completed in a transaction of the handler, through the same pooler.
async fn note(
    job: RawJob,
    attempt: Attempt,
    State(desk): State<Desk>,
) -> Result<Outcome, JobError> {
    *desk.runs.lock().expect("a lock").entry(attempt.id()).or_default() += 1;
    if job.payload.get().parse::<u64>()? % 3 != 0 {
        return Ok(Outcome::Complete);
    }
    let mut connection = desk.client.pool().get().await?;
    let mut transaction = connection.transaction().await?;
    let outcome = attempt.complete_in(&mut transaction, Some(json!("in mine"))).await?;
    transaction.commit().await?;
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_on_two_sessions_run_every_job_once_and_prepare_nothing() {
    const JOBS: usize = 400;
    let behind = Behind::new().await;
    let (producer, operator) =
        (behind.client(logins::PRODUCER).await, behind.client(logins::OPERATOR).await);
    let runs = Runs::default();
    let mut workers = Vec::new();
    for n in 0..8 {
        let client = behind.client(logins::WORKER).await;
        let desk = Desk { runs: Arc::clone(&runs), client: client.clone() };
        let worker = Worker::builder(client).worker_id(format!("w-{n}")).poll_interval(millis(50));
        let worker = worker.queue("default", 4).state(desk);
        workers.push(Running::start(worker.handler_for("note", note)));
    }
    let others = bustle(&behind, 2).await;
    let mut ids = Vec::new();
    for start in (0..JOBS).step_by(50) {
        let jobs = (start..start + 50).map(|n| {
            let tenant = Tenant::named(format!("t-{}", n % 7)).expect("a name");
            Dispatch::raw(tenant, "note", json!(n)).expect("a payload")
        });
        ids.extend(producer.dispatch_many(jobs).await.expect("dispatch_many"));
    }
    until("all are completed", PATIENCE * 3, || async {
        let runs = runs.lock().expect("a lock").len();
        let waits = JobFilter { status: Some(Status::Processing), ..JobFilter::default() };
        let page = operator.jobs(&waits).await.expect("jobs");
        (runs == JOBS && page.jobs.is_empty()).then_some(())
    })
    .await;
    others.iter().for_each(tokio::task::JoinHandle::abort);
    let prepared = "select count(*) from pg_prepared_statements";
    let mut reports = Vec::new();
    let look = behind.raw(logins::WORKER).await;
    for _ in 0..20 {
        let row = look.query_typed_one(prepared, &[]).await.expect("pg_prepared_statements");
        assert_eq!(row.get::<_, i64>(0), 0, "in a session that others use too");
    }
    for worker in workers {
        reports.push(worker.stop().await);
    }
    assert_eq!(reports.iter().map(|report| report.lost).sum::<u64>(), 0);
    assert_eq!(reports.iter().map(|report| report.call_failures).sum::<u64>(), 0);
    assert!(reports.iter().filter(|report| report.claimed > 0).count() > 1, "several claim");
    let mut attempts = 0;
    for id in ids {
        let row = operator.job(id).await.expect("job").expect("it is there");
        assert_eq!(row.status, Status::Completed);
        attempts += u64::try_from(row.attempts).expect("a count");
    }
    // a busy worker gives back what it claimed ahead and did not begin: that is an attempt, and no run
    let released = reports.iter().map(|report| report.released).sum::<u64>();
    assert_eq!(attempts, JOBS as u64 + released);
    assert!(runs.lock().expect("a lock").values().all(|&count| count == 1));
}

/// How many sessions of the database have ever sent a LISTEN as their last statement.
async fn listening(db: &TestDb) -> i64 {
    let owner = db.owner().await;
    owner.batch_execute("reset role").await.expect("it may see other sessions' statements");
    let asked = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
    owner.query_one(asked, &[]).await.expect("pg_stat_activity").get(0)
}

async fn complete(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_would_listen_polls_behind_a_pooler() {
    let behind = Behind::new().await;
    let (producer, operator) =
        (behind.client(logins::PRODUCER).await, behind.client(logins::OPERATOR).await);
    let worker = |client| {
        let worker = Worker::builder(client).poll_interval(millis(50)).queue("default", 2);
        Running::start(worker.listen(true).handler_for("mail", complete))
    };
    let pooled = worker(behind.client(logins::WORKER).await);
    let run_one = async || {
        let id = producer.dispatch(job("mail", json!({}))).await.expect("dispatch");
        until("it is completed", PATIENCE, || async {
            let row = operator.job(id).await.expect("job").expect("it is there");
            (row.status == Status::Completed).then_some(())
        })
        .await;
    };
    run_one().await;
    assert_eq!(listening(&behind.db).await, 0);
    pooled.stop().await;
    // the control: the same worker without a pooler listens
    let direct = worker(behind.db.direct_client(logins::WORKER).await);
    until("it listens", PATIENCE, || async { (listening(&behind.db).await == 1).then_some(()) })
        .await;
    run_one().await;
    direct.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_shares_the_fate_of_the_callers_transaction_behind_a_pooler() {
    let behind = Behind::new().await;
    let (producer, operator) =
        (behind.client(logins::PRODUCER).await, behind.client(logins::OPERATOR).await);
    let jobs = |count: usize| (0..count).map(|n| job("mail", json!(n))).collect::<Vec<_>>();
    let others = bustle(&behind, 3).await;
    let mut connection = producer.pool().get().await.expect("a connection");
    for (commit, expected) in [(false, 0), (true, 3)] {
        let transaction = connection.transaction().await.expect("begin");
        job("mail", json!({})).execute(&transaction).await.expect("dispatch");
        dispatch_many_in(&transaction, jobs(2)).await.expect("dispatch_many_in");
        if commit {
            transaction.commit().await.expect("commit");
        } else {
            transaction.rollback().await.expect("rollback");
        }
        let page = operator.jobs(&JobFilter::default()).await.expect("jobs");
        assert_eq!(page.jobs.len(), expected);
    }
    // more than one call takes: a transaction of the library's own
    let ids = producer.dispatch_many(jobs(10_050)).await.expect("dispatch_many");
    assert_eq!(ids.len(), 10_050);
    let changed = operator.cancel(Some(acme()), &ids[..2]).await.expect("cancel");
    assert_eq!(changed.len(), 2);
    others.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_install_through_a_pooler() {
    let behind = Behind::of(TestDb::empty().await);
    let (one, two) =
        (behind.client(logins::INSTALLER).await, behind.client(logins::INSTALLER).await);
    let options = fairclaim::MigrateOptions::default();
    let (first, second) = tokio::join!(one.migrate(&options), two.migrate(&options));
    let reports = [first.expect("migrate"), second.expect("migrate")];
    assert!(reports.iter().all(|report| report.to == fairclaim::schema_version()), "{reports:?}");
    assert_eq!(reports.iter().filter(|report| report.applied.is_empty()).count(), 1);
    let installer = behind.raw(logins::INSTALLER).await;
    let row = installer
        .query_typed_one(
            "select current_user::text, current_setting('search_path'), $1::text",
            &[(&"as before", Type::TEXT)],
        )
        .await
        .expect("a session that both have used");
    assert_eq!((row.get(0), row.get(1)), (logins::INSTALLER, "\"$user\", public"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_lost_behind_the_pooler_costs_no_job() {
    let behind = Behind::new().await;
    let (producer, operator) =
        (behind.client(logins::PRODUCER).await, behind.client(logins::OPERATOR).await);
    let worker = Worker::builder(behind.client(logins::WORKER).await)
        .poll_interval(millis(50))
        .lease(Duration::from_secs(6))
        .queue("default", 4);
    let worker = Running::start(worker.handler_for("mail", complete));
    let owner = behind.db.owner().await;
    owner.batch_execute("reset role").await.expect("reset role");
    let superuser = behind.db.superuser().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let jobs = (0..40).map(|n| job("mail", json!(n)));
        ids.extend(producer.dispatch_many(jobs).await.expect("dispatch_many"));
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = $1 and usename = 'test_worker'";
        superuser.query_one(cut, &[&behind.db.name()]).await.expect("pg_terminate_backend");
    }
    until("all are completed", PATIENCE * 2, || async {
        for id in &ids {
            let row = operator.job(*id).await.ok()??;
            if row.status != Status::Completed {
                return None;
            }
        }
        Some(())
    })
    .await;
    worker.stop().await;
}
