//! A load that opens, drains and deletes lanes as fast as it can, and the books of what went in and came out.
//!
//! The faults this is after need a dispatcher that chose its lane in the instant before a tick closed it, so lanes close at
//! once and ticks never pause.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    calls::{tenant, tick},
    support::{Client, TestDb},
};

const TICK_EVERY: Duration = Duration::from_millis(20);
const TRANSACTION_MS_MAX: u64 = 80;
const TENANTS: u128 = 40;
/// The priority whose jobs have lanes of their own, so that lanes come and go.
const OWN: i32 = 7;
const CLAIM_SIZES: [i32; 6] = [1, 1, 3, 10, 50, 200];

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) dispatchers: u64,
    pub(crate) claimers: u64,
    /// The most jobs in one `dispatch_jobs`.
    pub(crate) batch_max: usize,
    /// Dispatchers stop after this time …
    pub(crate) time_max: Duration,
    /// … or when so many jobs are in.
    pub(crate) jobs_max: usize,
}

/// What happened. Every field but the first three must be 0 for a queue that keeps its promises.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) dispatched: usize,
    pub(crate) claims: usize,
    pub(crate) retries: usize,
    pub(crate) refused: usize,
}

impl Load {
    /// Runs until every job is finished, or no claim finds one any more.
    pub(crate) async fn run(self, db: &TestDb) -> Books {
        db.own_lanes(OWN).await;
        db.owner()
            .await
            .batch_execute(
                "update fairclaim_internal.setting set close_delay = '0', tick_every = '0'",
            )
            .await
            .expect("close delay");
        let (dispatched_all, drained) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let ticker = tokio::spawn(tick_on(db.worker().await, drained.clone()));
        let mut dispatchers = JoinSet::new();
        for seed in 0..self.dispatchers {
            dispatchers.spawn(self.dispatch_on(db.producer().await, seed));
        }
        let mut claimers = JoinSet::new();
        for seed in 0..self.claimers {
            claimers.spawn(claim_on(db.worker().await, 1_000 + seed, dispatched_all.clone()));
        }

        let mut books =
            Books { dispatched: dispatchers.join_all().await.iter().sum(), ..Books::default() };
        tick_a_few(db).await; // so that rows below a floor are renewed before the claimers give up
        dispatched_all.store(true, Ordering::Release);
        for claimer in claimers.join_all().await {
            books.claims += claimer.claims;
            books.retries += claimer.retries;
            books.refused += claimer.refused;
        }
        drained.store(true, Ordering::Release);
        ticker.await.expect("the ticker");
        books
    }

    async fn dispatch_on(self, mut client: Client, seed: u64) -> usize {
        let mut random = StdRng::seed_from_u64(seed);
        let deadline = Instant::now() + self.time_max;
        let share = self.jobs_max / usize::try_from(self.dispatchers).expect("a few");
        let mut count = 0;
        while Instant::now() < deadline && count < share {
            let builder = client.build_transaction();
            let level = if random.random_bool(0.1) {
                tokio_postgres::IsolationLevel::RepeatableRead
            } else {
                tokio_postgres::IsolationLevel::ReadCommitted
            };
            let transaction = builder.isolation_level(level).start().await.expect("begin");
            transaction
                .query_one("select 1", &[])
                .await
                .expect("take the snapshot before the first dispatch");
            for _ in 0..random.random_range(1..=3) {
                let single = random.random_bool(0.5);
                let n = if single { 1 } else { random.random_range(1..=self.batch_max) };
                let jobs: Vec<Value> = (0..n).map(|_| job(&mut random)).collect();
                if let [job] = jobs.as_slice() {
                    dispatch_one(&transaction, job).await;
                } else {
                    transaction
                        .execute("select fairclaim.dispatch_jobs($1)", &[&json!(jobs)])
                        .await
                        .expect("dispatch_jobs");
                }
                count += n;
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..=TRANSACTION_MS_MAX)))
                .await;
            transaction.commit().await.expect("commit");
        }
        count
    }
}

fn job(random: &mut StdRng) -> Value {
    let (job_type, priority) =
        (["mail", "report"].choose(random), [OWN, 0, 0, 0, OWN].choose(random));
    json!({"tenant_id": tenant(random.random_range(0..TENANTS)), "type": job_type, "priority": priority})
}

async fn dispatch_one(client: &tokio_postgres::Transaction<'_>, job: &Value) {
    let priority =
        i32::try_from(job["priority"].as_i64().expect("a priority")).expect("a small one");
    let tenant: Uuid = job["tenant_id"].as_str().expect("a tenant").parse().expect("a uuid");
    client
        .execute(
            "select fairclaim.dispatch_job($1, $2, p_priority => $3)",
            &[&tenant, &job["type"].as_str(), &priority],
        )
        .await
        .expect("dispatch_job");
}

async fn tick_on(worker: Client, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Acquire) {
        tick(&worker).await;
        tokio::time::sleep(TICK_EVERY).await;
    }
}

async fn tick_a_few(db: &TestDb) {
    let worker = db.worker().await;
    let mut done = 0;
    while done < 5 {
        done += usize::from(!tick(&worker).await.get::<_, bool>("busy"));
    }
}

/// Claims of many sizes, all types or one, with a cursor; one job in ten is retried until its third attempt.
async fn claim_on(worker: Client, seed: u64, dispatched_all: Arc<AtomicBool>) -> Books {
    let mut random = StdRng::seed_from_u64(seed);
    let mut books = Books::default();
    let mut cursor: Option<String> = None;
    loop {
        let last = dispatched_all.load(Ordering::Acquire); // read before the claim: what was in then must be found
        let limit = CLAIM_SIZES.choose(&mut random).expect("a size");
        let types = if !last && random.random_bool(0.3) { Some(vec!["mail"]) } else { None };
        let rows = worker
            .query(
                "select * from fairclaim.claim_jobs('worker', null, $1, p_types => $2, p_cursor => $3)",
                &[limit, &types, &cursor],
            )
            .await
            .expect("claim_jobs");
        let Some(row) = rows.first() else {
            if last {
                return books;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        };
        cursor = row.get("next_cursor");
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
        let tokens: Vec<Uuid> = rows.iter().map(|row| row.get("lease_token")).collect();
        let attempts: Vec<i32> = rows.iter().map(|row| row.get("attempts")).collect();
        let retry = |attempt: &i32| *attempt < 3 && random.random_bool(0.1);
        let retried: Vec<bool> = attempts.iter().map(retry).collect();
        let outcomes: Vec<&str> =
            retried.iter().map(|retry| if *retry { "retry" } else { "complete" }).collect();
        let delays: Vec<Option<f64>> = retried.iter().map(|retry| retry.then_some(0.0)).collect();
        let settled = worker
            .query(
                "select kind = 'settled' from fairclaim.settle_jobs('worker', $1, $2, $3, $4, null, null, $5)",
                &[&ids, &attempts, &tokens, &outcomes, &delays],
            )
            .await
            .expect("settle_jobs");
        books.claims += ids.len();
        books.retries += retried.iter().filter(|retry| **retry).count();
        books.refused += settled.iter().filter(|row| !row.get::<_, bool>(0)).count();
    }
}

/// Where the jobs are in the end, and that it all adds up.
pub(crate) async fn check(db: &TestDb, books: &Books) {
    let row = db
        .owner()
        .await
        .query_one(
            "select (select count(*) from fairclaim_internal.job), (select count(*) from fairclaim_internal.finished where status = 'completed'),
                    (select count(*) from fairclaim_internal.ready), (select count(*) from fairclaim_internal.running),
                    (select count(*) from fairclaim_internal.scheduled),
                    (select coalesce(last_value, 0) from pg_catalog.pg_sequences
                      where schemaname = 'fairclaim_internal' and sequencename = 'lane_lane_id_seq')",
            &[],
        )
        .await
        .expect("the tables");
    let [jobs, completed, ready, running, scheduled, lanes] =
        [0, 1, 2, 3, 4, 5].map(|n| row.get::<_, i64>(n));
    let found = format!("{books:?}; {jobs} jobs, {completed} completed, {lanes} lanes");
    println!("{found}");
    assert_eq!((ready, running, scheduled), (0, 0, 0), "left behind: {found}");
    assert_eq!(usize::try_from(jobs), Ok(books.dispatched), "{found}");
    assert_eq!(jobs, completed, "{found}");
    assert_eq!(books.claims, books.dispatched + books.retries, "twice or not at all: {found}");
    assert_eq!(books.refused, 0, "{found}");
    assert!(lanes > 100, "too few lanes for a test of lanes: {found}");
}
