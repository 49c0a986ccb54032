//! Sixteen claimers of two hundred tenants under limits of all kinds, while somebody ticks, counts what runs, and changes
//! limits. Some claimers die with what they hold, and one goes on after it was declared dead.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_postgres::{Error, error::SqlState};
use uuid::Uuid;

use super::replay::{Books, Key, Ran};
use crate::{
    calls::{Bound, Claimed, dispatch_batch, set_limit, settle, settle_all, tenant, tick},
    support::{Client, TestDb, connect},
};

const QUEUES: [&str; 3] = ["alpha", "beta", "gamma"];
const TENANTS: u128 = 200;
/// The first of them have limits that change.
const CHANGING: u128 = 20;
/// These have a limit of their own, the others the default.
const OWN: u128 = 100;
const DEFAULT: i32 = 4;
const DEFAULT_IN_BETA: i32 = 2;
const QUEUE_GAMMA: i32 = 12;
/// Far more than it takes.
const TIME_MAX: Duration = Duration::from_secs(1_500);
/// A lease that ends when the clock has moved a few times.
const SHORT: f64 = 5.0;
const LONG: f64 = 86_400.0;
/// So many moves of the clock are longer than a short lease, and than ticks wait before they look for leases that have ended.
const LATE: usize = 40;

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) jobs: usize,
    pub(super) claimers: usize,
    /// Whether limits change meanwhile.
    pub(super) changes: bool,
}

/// What all who take part share.
struct Play {
    db_url: String,
    books: Mutex<Books>,
    /// How often the clock has moved.
    rounds: AtomicUsize,
    done: AtomicBool,
}

impl Play {
    fn note<T>(&self, what: impl FnOnce(&mut Books) -> T) -> T {
        what(&mut self.books.lock().expect("books"))
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

fn own_limit(n: u128) -> i32 {
    i32::try_from(1 + n % 8).expect("small")
}

impl Load {
    pub(super) async fn run(self, db: &TestDb) -> Books {
        let (owner, ticker) = (db.owner().await, db.worker().await);
        let mut books = Books::default();
        set_limits(&owner, &mut books).await;
        let pass = "update fairclaim_internal.test_clock set shift = shift + interval '0.5 s'";
        for _ in 0..5 {
            owner.execute(pass, &[]).await.expect("time goes by");
            tick(&ticker).await;
        }
        dispatch(&db.producer().await, self.jobs).await;
        let play = Arc::new(Play {
            db_url: db.url("test_worker"),
            books: Mutex::new(books),
            rounds: AtomicUsize::new(0),
            done: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for n in 0..self.claimers {
            let role = match n {
                0 => Role::Zombie,
                1 | 2 => Role::Mortal,
                3 => Role::Alone,
                _ => Role::Healthy,
            };
            let rng = StdRng::seed_from_u64(n as u64);
            let (play, client) = (play.clone(), db.session("test_worker").await);
            tasks.spawn(Claimer { role, play, client, rng, held: Vec::new() }.run());
        }
        tasks.spawn(sample(play.clone(), db.owner().await));
        tasks.spawn(self.keep_going(play.clone(), owner, ticker));
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                ended.expect("somebody failed");
            }
        };
        tokio::time::timeout(TIME_MAX, all).await.expect("jobs that nobody can claim");
        play.note(std::mem::take)
    }

    /// Moves the clock, ticks, and changes limits, until all jobs have ended.
    async fn keep_going(self, play: Arc<Play>, owner: Client, ticker: Client) {
        let mut rng = StdRng::seed_from_u64(99);
        let pass = "update fairclaim_internal.test_clock set shift = shift + interval '0.3 s'";
        let ended = "select count(*) from fairclaim_internal.finished";
        loop {
            owner.execute(pass, &[]).await.expect("time goes by");
            play.rounds.fetch_add(1, Ordering::Relaxed);
            tick(&ticker).await;
            if self.changes {
                change(&play, &owner, &mut rng).await;
            }
            let count: i64 = owner.query_one(ended, &[]).await.expect(ended).get(0);
            if usize::try_from(count).expect("a count") == self.jobs {
                play.done.store(true, Ordering::Relaxed);
                return;
            }
        }
    }
}

async fn set_limits(owner: &Client, books: &mut Books) {
    let start = Instant::now();
    let mut note = |tenant: Uuid, queue: &str, max: i32| {
        books.set((tenant, queue.to_owned()), i64::from(max), start, start);
    };
    set_limit(owner, Bound::Default, Some(DEFAULT)).await;
    set_limit(owner, Bound::DefaultIn("beta"), Some(DEFAULT_IN_BETA)).await;
    set_limit(owner, Bound::Queue("gamma"), Some(QUEUE_GAMMA)).await;
    note(Uuid::nil(), "gamma", QUEUE_GAMMA);
    for n in 0..TENANTS {
        let id = tenant(n);
        note(id, "", if n < OWN { own_limit(n) } else { DEFAULT });
        if n < OWN {
            set_limit(owner, Bound::Tenant(id), Some(own_limit(n))).await;
        }
        let in_beta = if n % 10 == 5 { 3 } else { DEFAULT_IN_BETA };
        note(id, "beta", in_beta);
        if in_beta != DEFAULT_IN_BETA {
            set_limit(owner, Bound::TenantIn(id, "beta"), Some(in_beta)).await;
        }
    }
}

/// Another limit for one tenant, or the default instead of its own.
async fn change(play: &Play, owner: &Client, rng: &mut StdRng) {
    let id = tenant(rng.random_range(0..CHANGING));
    let max = rng.random_bool(0.8).then(|| rng.random_range(1..=8));
    let sent = Instant::now();
    set_limit(owner, Bound::Tenant(id), max).await;
    let answered = Instant::now();
    let most = i64::from(max.unwrap_or(DEFAULT));
    play.note(|books| books.set((id, String::new()), most, sent, answered));
}

async fn dispatch(producer: &Client, jobs: usize) {
    let all: Vec<usize> = (0..jobs).collect();
    for part in all.chunks(200) {
        let part: Vec<_> = part
            .iter()
            .map(|n| {
                let id = tenant(*n as u128 * 7 % TENANTS);
                let queue = QUEUES[n / 3 % QUEUES.len()];
                json!({"tenant_id": id, "type": "mail", "queue": queue, "max_attempts": 9})
            })
            .collect();
        dispatch_batch(producer, &part).await;
    }
}

/// Counts what runs by tenant, by tenant and queue, and by queue, again and again.
async fn sample(play: Arc<Play>, owner: Client) {
    let sql = "select j.tenant_id, j.queue, count(*) from fairclaim_internal.running r
                 join fairclaim_internal.job j on j.id = r.id and j.tenant_id = r.tenant_id
                group by grouping sets ((j.tenant_id), (j.tenant_id, j.queue), (j.queue))";
    while !play.is_done() {
        let rows = owner.query(sql, &[]).await.expect(sql);
        let count = |row: &tokio_postgres::Row| -> (Key, i64) {
            let tenant: Option<Uuid> = row.get(0);
            let queue: Option<String> = row.get(1);
            ((tenant.unwrap_or_default(), queue.unwrap_or_default()), row.get(2))
        };
        let counts: Vec<(Key, i64)> = rows.iter().map(count).collect();
        play.note(|books| books.sample(&counts));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Healthy,
    /// Also takes what is to run alone.
    Alone,
    /// Its connection goes away now and then, also within a transaction.
    Mortal,
    /// Settles long after its leases have ended.
    Zombie,
}

/// One job that a claimer holds.
struct Held {
    job: Claimed,
    sent: Instant,
    from: Instant,
    /// How often the clock had moved then.
    round: usize,
}

struct Claimer {
    role: Role,
    play: Arc<Play>,
    client: Client,
    rng: StdRng,
    held: Vec<Held>,
}

impl Claimer {
    async fn run(mut self) {
        while !self.play.is_done() {
            if self.role == Role::Zombie {
                self.haunt().await;
                continue;
            }
            let got = self.claim().await;
            if self.role == Role::Mortal && self.rng.random_bool(0.1) {
                self.die().await;
            }
            let keeps = got > 0 && self.held.len() < 12 && self.rng.random_bool(0.6);
            if !keeps {
                let n = self.rng.random_range(0..=self.held.len());
                self.settle(n.max(1)).await;
            }
        }
    }

    /// Settles what it held when its leases have ended, and others have it perhaps.
    async fn haunt(&mut self) {
        if self.held.len() < 12 {
            self.claim().await;
        }
        let now = self.play.rounds.load(Ordering::Relaxed);
        let late = self.held.iter().take_while(|held| now > held.round + LATE).count();
        if late > 0 {
            self.settle(late).await;
        } else {
            self.client.query_one("select count(*) from pg_class", &[]).await.expect("a while");
        }
    }

    /// Claims in a statement of its own, or in a transaction that goes on for a while.
    async fn claim(&mut self) -> usize {
        let size = *[1, 1, 3, 10].choose(&mut self.rng).expect("a size");
        let alone = self.role == Role::Alone && self.rng.random_bool(0.3);
        let stays_open = self.rng.random_bool(0.5);
        let is_short = matches!(self.role, Role::Mortal | Role::Zombie);
        let lease = if is_short { SHORT } else { LONG };
        let sent = Instant::now();
        if stays_open {
            self.client.batch_execute("begin").await.expect("begin");
        }
        let jobs = match claim(&self.client, size, lease, alone).await {
            Ok(jobs) => jobs,
            // the clock is faster than a claim with a short lease
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) && is_short => {
                self.client.batch_execute("rollback").await.expect("rollback");
                return 0;
            }
            Err(error) => panic!("claim_jobs: {error:?}"),
        };
        if stays_open {
            for _ in 0..3 {
                self.client.query_one("select count(*) from pg_class", &[]).await.expect("a while");
            }
            if self.role == Role::Mortal && self.rng.random_bool(0.1) {
                self.die().await;
                return 0;
            }
            self.client.batch_execute("commit").await.expect("commit");
        }
        let from = Instant::now();
        let got = jobs.len();
        let round = self.play.rounds.load(Ordering::Relaxed);
        self.held.extend(jobs.into_iter().map(|job| Held { job, sent, from, round }));
        got
    }

    /// The connection goes away, and what was held is forgotten.
    async fn die(&mut self) {
        self.held.clear();
        self.client = connect(&self.play.db_url).await;
        self.play.note(|books| books.deaths += 1);
    }

    /// Settles the first of what is held. What had a short lease ran for nobody knows how long.
    async fn settle(&mut self, n: usize) {
        let ending: Vec<Held> = self.held.drain(..n.min(self.held.len())).collect();
        if ending.is_empty() {
            return;
        }
        let until = Instant::now();
        if matches!(self.role, Role::Mortal | Role::Zombie) {
            for held in ending {
                let accepted = settle(&self.client, &held.job, "complete").await.accepted;
                self.play.note(|books| books.late += usize::from(!accepted));
            }
            return;
        }
        let ran = ending.iter().map(|held| Ran {
            tenant: held.job.tenant,
            queue: held.job.queue.clone(),
            sent: held.sent,
            from: held.from,
            until,
        });
        let ran: Vec<Ran> = ran.collect();
        self.play.note(|books| books.ran.extend(ran));
        let jobs: Vec<Claimed> = ending.into_iter().map(|held| held.job).collect();
        let outcome = if self.rng.random_bool(0.1) { "retry" } else { "complete" };
        settle_all(&self.client, &jobs, outcome).await;
    }
}

async fn claim(
    session: &Client,
    size: i32,
    lease: f64,
    alone: bool,
) -> Result<Vec<Claimed>, Error> {
    let sql =
        "select * from fairclaim.claim_jobs('worker', null, $1, p_lease => $2, p_alone => $3)";
    let rows = session.query(sql, &[&size, &lease, &alone]).await?;
    Ok(rows.iter().map(Claimed::from).collect())
}
