//! Workers and producers of the previous build: their statements, prepared once, on plain connections.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::{Client as Session, Error, Row, Statement, error::SqlState};
use uuid::Uuid;

use super::{
    PATIENCE,
    statements::{DISPATCH, DISPATCH_MANY, EXCHANGE, EXTEND, SETTLE, TICK},
};
use crate::{
    calls::tenant,
    support::{TestDb, logins, waiting::until},
};

/// What a client may see and repeat, as the page on upgrades says: collisions, and a call that was under way when the functions that
/// it calls, or their tables, were replaced.
const DOCUMENTED: [&str; 4] = ["40001", "40P01", "42703", "42883"];

/// What everybody notes down.
#[derive(Default)]
struct Notes {
    enough: AtomicBool,
    stop: AtomicBool,
    dispatched: Mutex<Vec<Uuid>>,
    /// Accepted settlements of each attempt.
    accepted: Mutex<HashMap<(Uuid, i32), usize>>,
    refused: Mutex<Vec<Uuid>>,
    /// How often each error was seen: its SQLSTATE and message.
    errors: Mutex<BTreeMap<String, usize>>,
}

impl Notes {
    fn error(&self, error: &Error) {
        let (code, message) = error.as_db_error().map_or_else(
            || ("connection".to_owned(), error.to_string()),
            |db| (db.code().code().to_owned(), db.message().to_owned()),
        );
        *self.errors.lock().expect("errors").entry(format!("{code} {message}")).or_default() += 1;
    }

    /// Errors that no client should see, and those that it saw more often than there are sessions here.
    fn undocumented(&self) -> Vec<String> {
        let errors = self.errors.lock().expect("errors");
        let documented = |error: &str| DOCUMENTED.iter().any(|code| error.starts_with(code));
        let told = errors.iter().filter(|&(error, &times)| !documented(error) || times > 6);
        told.map(|(error, times)| format!("{error} ({times} times)")).collect()
    }

    fn accept(&self, id: Uuid, attempt: i32) {
        *self.accepted.lock().expect("accepted").entry((id, attempt)).or_default() += 1;
    }
}

/// A load under way.
pub(super) struct Load {
    notes: Arc<Notes>,
    producers: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// A load whose producers have ended.
pub(super) struct End {
    pub(super) dispatched: Vec<Uuid>,
    load: Load,
}

impl Load {
    /// Two producers, three workers, and one who ticks.
    pub(super) async fn start(db: &TestDb) -> Self {
        let notes = Arc::new(Notes::default());
        let (mut producers, mut tasks) = (JoinSet::new(), JoinSet::new());
        for n in 0..2 {
            producers.spawn(produce(
                db.direct_session(logins::PRODUCER).await.into_driver(),
                Arc::clone(&notes),
                n,
            ));
        }
        for n in 0..3 {
            tasks.spawn(work(
                db.direct_session(logins::WORKER).await.into_driver(),
                Arc::clone(&notes),
                n,
            ));
        }
        tasks.spawn(keep_ticking(
            db.direct_session(logins::WORKER).await.into_driver(),
            Arc::clone(&notes),
        ));
        Self { notes, producers, tasks }
    }

    pub(super) fn undocumented(&self) -> Vec<String> {
        self.notes.undocumented()
    }

    /// Whether an error has been seen far more often than calls can have been under way at one moment.
    pub(super) fn goes_on_failing(&self, code: &str) -> bool {
        let errors = self.notes.errors.lock().expect("errors");
        errors.iter().any(|(error, &times)| error.starts_with(code) && times > 20)
    }

    /// Lets producers end, and waits until every job of theirs is finished.
    pub(super) async fn end(mut self, owner: &Session) -> End {
        self.notes.enough.store(true, Ordering::SeqCst);
        while let Some(ended) = self.producers.join_next().await {
            ended.expect("no producer panics");
        }
        let left = "select (select count(*) from fairclaim_internal.ready) + (select count(*) from fairclaim_internal.scheduled)
                         + (select count(*) from fairclaim_internal.running)";
        until("every job is finished", PATIENCE, || async {
            (owner.query_one(left, &[]).await.expect("what is left").get::<_, i64>(0) == 0)
                .then_some(())
        })
        .await;
        let dispatched = self.notes.dispatched.lock().expect("dispatched").clone();
        End { dispatched, load: self }
    }

    /// Ends everybody at once.
    pub(super) async fn abandon(mut self) {
        self.producers.shutdown().await;
        self.tasks.shutdown().await;
    }
}

impl End {
    pub(super) fn undocumented(&self) -> Vec<String> {
        self.load.undocumented()
    }

    /// Lets everybody end; none of them has panicked.
    pub(super) async fn stop(&mut self) {
        self.load.notes.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.load.tasks.join_next().await {
            ended.expect("nobody panics");
        }
    }

    /// What is wrong in the end: a job without its one final fact, an attempt that was settled twice.
    pub(super) async fn audit(&self, owner: &Session) -> Vec<String> {
        let rows = owner
            .query(
                "select f.id, count(*), min(f.status) from fairclaim_internal.finished f group by f.id",
                &[],
            )
            .await
            .expect("finished");
        let mut wrong = Vec::new();
        let done: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let dispatched: HashSet<Uuid> = self.dispatched.iter().copied().collect();
        wrong.extend(
            done.symmetric_difference(&dispatched).map(|id| format!("{id} is lost or nobody's")),
        );
        for row in rows {
            let (id, facts, status): (Uuid, i64, &str) = (row.get(0), row.get(1), row.get(2));
            if facts != 1 || status != "completed" {
                wrong.push(format!("{id} has {facts} facts, {status}"));
            }
        }
        let accepted = self.load.notes.accepted.lock().expect("accepted");
        let twice = accepted.iter().filter(|&(_, &times)| times != 1);
        wrong.extend(
            twice.map(|((id, attempt), times)| format!("{id}/{attempt} was settled {times} times")),
        );
        let refused = self.load.notes.refused.lock().expect("refused");
        wrong.extend(refused.iter().map(|id| format!("the lease of {id} was lost")));
        wrong
    }
}

async fn prepare(session: &Session, sql: &str) -> Statement {
    session.prepare(sql).await.expect(sql)
}

async fn produce(session: Session, notes: Arc<Notes>, n: u128) {
    let (one, many) = (prepare(&session, DISPATCH).await, prepare(&session, DISPATCH_MANY).await);
    let (none, empty, tags) = (None::<f64>, json!({}), Vec::<String>::new());
    for round in 0_u128.. {
        if notes.enough.load(Ordering::SeqCst) {
            return;
        }
        let owner = tenant(n * 3 + round % 3);
        let sent = if round % 4 == 0 {
            let jobs: Vec<Value> =
                (0..20).map(|_| json!({ "tenant_id": owner, "type": "mail" })).collect();
            session.query(&many, &[&json!(jobs)]).await
        } else {
            let at = None::<std::time::SystemTime>;
            session
                .query(
                    &one,
                    &[
                        &owner, &"mail", &empty, &"default", &0_i32, &at, &25_i32, &none, &tags,
                        &empty,
                    ],
                )
                .await
        };
        match sent {
            Ok(rows) => notes
                .dispatched
                .lock()
                .expect("dispatched")
                .extend(rows.iter().map(|row| row.get::<_, Uuid>(0))),
            Err(error) => notes.error(&error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn keep_ticking(session: Session, notes: Arc<Notes>) {
    let tick = prepare(&session, TICK).await;
    while !notes.stop.load(Ordering::SeqCst) {
        match session.query(&tick, &[]).await {
            // a tick waits 100 ms for a lock, and a migration that changes tables holds them for longer
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
            Err(error) => notes.error(&error),
            Ok(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A job that a worker holds, and how it will end this attempt.
struct Held {
    id: Uuid,
    attempt: i32,
    token: Uuid,
    outcome: &'static str,
}

impl From<&Row> for Held {
    fn from(row: &Row) -> Self {
        let (id, attempt): (Uuid, i32) = (row.get("id"), row.get("attempts"));
        let outcome = match (attempt, id.as_u128() % 8) {
            (1, 0) => "retry",
            (1, 1) => "release",
            _ => "complete",
        };
        Self { id, attempt, token: row.get("lease_token"), outcome }
    }
}

/// What a settlement sends beside the worker's id.
struct Columns {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    tokens: Vec<Uuid>,
    outcomes: Vec<&'static str>,
    results: Vec<Option<String>>,
    delays: Vec<Option<f64>>,
}

impl From<&[Held]> for Columns {
    fn from(held: &[Held]) -> Self {
        Self {
            ids: held.iter().map(|job| job.id).collect(),
            attempts: held.iter().map(|job| job.attempt).collect(),
            tokens: held.iter().map(|job| job.token).collect(),
            outcomes: held.iter().map(|job| job.outcome).collect(),
            results: held.iter().map(|_| None).collect(),
            delays: held.iter().map(|job| (job.outcome == "retry").then_some(0.0)).collect(),
        }
    }
}

async fn work(session: Session, notes: Arc<Notes>, n: usize) {
    let exchange = prepare(&session, EXCHANGE).await;
    let (settle, extend) = (prepare(&session, SETTLE).await, prepare(&session, EXTEND).await);
    let (name, mut held, mut cursor) = (format!("old-{n}"), Vec::<Held>::new(), None::<String>);
    while !notes.stop.load(Ordering::SeqCst) || !held.is_empty() {
        let mut columns = Columns::from(&held[..]);
        if !held.is_empty() {
            let kept = session
                .query(
                    &extend,
                    &[&name, &columns.ids, &columns.attempts, &columns.tokens, &30.0_f64],
                )
                .await;
            if let Err(error) = kept {
                notes.error(&error);
            }
        }
        // one of them settles by itself, the others with the next claim
        if n == 0 && !held.is_empty() {
            match send(&session, &settle, &name, &columns).await {
                Ok(rows) => settled(&notes, &std::mem::take(&mut held), &rows),
                Err(error) => {
                    notes.error(&error);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            }
            columns = Columns::from(&held[..]);
        }
        match claim(&session, &exchange, &name, &columns, cursor.as_deref()).await {
            Ok(rows) => {
                let is = |row: &Row, kind: &str| row.get::<_, &str>("kind") == kind;
                let next = rows.iter().find(|row| is(row, "next")).expect("the last row");
                cursor = next.get("next_cursor");
                let (claimed, answered): (Vec<Row>, Vec<Row>) =
                    rows.into_iter().partition(|row| is(row, "claimed"));
                settled(&notes, &held, &answered);
                held = claimed.iter().map(Held::from).collect();
            }
            Err(error) => notes.error(&error),
        }
        tokio::time::sleep(Duration::from_millis(if held.is_empty() { 20 } else { 2 })).await;
    }
}

async fn send(
    session: &Session,
    settle: &Statement,
    name: &str,
    c: &Columns,
) -> Result<Vec<Row>, Error> {
    session
        .query(
            settle,
            &[
                &name,
                &c.ids,
                &c.attempts,
                &c.tokens,
                &c.outcomes,
                &c.results,
                &c.results,
                &c.delays,
            ],
        )
        .await
}

async fn claim(
    session: &Session,
    exchange: &Statement,
    name: &str,
    c: &Columns,
    cursor: Option<&str>,
) -> Result<Vec<Row>, Error> {
    let (queues, types) = (["default"].as_slice(), ["mail"].as_slice());
    session
        .query(
            exchange,
            &[
                &name,
                &c.ids,
                &c.attempts,
                &c.tokens,
                &c.outcomes,
                &c.results,
                &c.results,
                &c.delays,
                &queues,
                &10_i32,
                &types,
                &30.0_f64,
                &cursor,
                &None::<Uuid>,
                &0.0_f64,
            ],
        )
        .await
}

/// Of settlements only those are answered that are stale, or ended otherwise than completed.
fn settled(notes: &Notes, held: &[Held], answered: &[Row]) {
    let refused: HashSet<Uuid> = answered
        .iter()
        .filter(|row| row.get::<_, &str>("kind") == "stale")
        .map(|row| row.get("id"))
        .collect();
    for job in held {
        if refused.contains(&job.id) {
            notes.refused.lock().expect("refused").push(job.id);
        } else {
            notes.accept(job.id, job.attempt);
        }
    }
}
