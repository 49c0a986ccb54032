//! Workers in virtual time: what they claim counts as run for as long as its tenant's jobs take, and nothing sleeps.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    calls::{Claimed, dispatch_many, tick},
    support::{Client, TestDb},
};

/// The queue of all these jobs.
pub(super) const QUEUE: &str = "default";
/// How long one report is after another.
const REPORT_EVERY: f64 = 5.0;
/// How many jobs the workers run at once.
const SLOTS: f64 = 10.0;

/// One tenant: its weight, and what each of its jobs takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) tenant: Uuid,
    pub(super) weight: i32,
    pub(super) seconds: f64,
}

/// Several claimers on one database, each with a cursor of its own.
pub(super) struct Simulation {
    pub(super) db: TestDb,
    pub(super) worker: Client,
    pub(super) loads: Vec<Load>,
    claimers: Vec<(Option<String>, Vec<Claimed>)>,
    /// Jobs and seconds since the last report.
    figures: BTreeMap<Uuid, (i32, f64)>,
    since_report: f64,
    pub(super) reports: usize,
    /// Seconds of handlers since the last call of `forget`.
    spent: BTreeMap<Uuid, f64>,
}

impl Simulation {
    /// Each tenant has a backlog.
    pub(super) async fn new(loads: &[Load], jobs: impl Fn(&Load) -> i32, claimers: usize) -> Self {
        let db = TestDb::with_test_clock().await;
        let (producer, owner) = (db.producer().await, db.owner().await);
        for load in loads {
            let weight = "insert into fairclaim_internal.tenant_weight (tenant_id, queue, weight) values ($1, '', $2::int)";
            owner.execute(weight, &[&load.tenant, &load.weight]).await.expect("a weight");
            dispatch_many(&producer, load.tenant, QUEUE, "mail", jobs(load)).await;
        }
        let worker = db.worker().await;
        tick(&worker).await;
        Self {
            db,
            worker,
            loads: loads.to_vec(),
            claimers: vec![(None, Vec::new()); claimers],
            figures: BTreeMap::new(),
            since_report: 0.0,
            reports: 0,
            spent: BTreeMap::new(),
        }
    }

    pub(super) async fn fair_by(&self, fair_by: &str) {
        let sql = "select fair_by from fairclaim.set_queue_fair_by($1, $2)";
        let operator = self.db.operator().await;
        let row = operator.query_one(sql, &[&QUEUE, &fair_by]).await.expect("set_queue_fair_by");
        assert_eq!(row.get::<_, &str>(0), fair_by);
        self.round().await;
    }

    /// A tick some time after the last one.
    pub(super) async fn round(&self) {
        self.db.advance(&format!("{REPORT_EVERY} s")).await;
        let row = tick(&self.worker).await;
        assert_eq!(row.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    }

    /// Claims, settles and reports until handlers have run for so long, all claimers in turn.
    pub(super) async fn run(&mut self, limit: i32, seconds: f64) {
        let until = self.total() + seconds;
        while self.total() < until {
            for n in 0..self.claimers.len() {
                let took = self.claim(n, limit).await;
                self.since_report += took / SLOTS;
            }
            if self.since_report >= REPORT_EVERY {
                self.report().await;
                self.round().await;
            }
        }
    }

    /// One claimer settles what it holds and claims again. Answers how long what it got takes.
    async fn claim(&mut self, n: usize, limit: i32) -> f64 {
        let (cursor, held) = &self.claimers[n];
        let ids: Vec<Uuid> = held.iter().map(|job| job.id).collect();
        let attempts: Vec<i32> = held.iter().map(|job| job.attempts).collect();
        let tokens: Vec<Uuid> = held.iter().map(|job| job.token).collect();
        let outcomes = vec!["complete"; held.len()];
        let sql = "select * from fairclaim.settle_and_claim('w', $1, $2, $3, $4, null, null, null, array[$5], $6,
                     p_lease => 3600, p_cursor => $7) where kind in ('claimed', 'next')";
        let rows = self
            .worker
            .query(sql, &[&ids, &attempts, &tokens, &outcomes, &QUEUE, &limit, cursor])
            .await
            .expect("settle_and_claim");
        let (next, claimed): (Vec<&Row>, Vec<&Row>) =
            rows.iter().partition(|row| row.get::<_, &str>("kind") == "next");
        let jobs: Vec<Claimed> = claimed.into_iter().map(Claimed::from).collect();
        assert_eq!(jobs.len(), usize::try_from(limit).expect("small"), "a backlog of everybody");
        let mut took = 0.0;
        for job in &jobs {
            let seconds = self.seconds_of(job.tenant);
            let figure = self.figures.entry(job.tenant).or_default();
            *figure = (figure.0 + 1, figure.1 + seconds);
            *self.spent.entry(job.tenant).or_default() += seconds;
            took += seconds;
        }
        self.claimers[n] = (next[0].get("next_cursor"), jobs);
        took
    }

    fn seconds_of(&self, tenant: Uuid) -> f64 {
        let load = self.loads.iter().find(|load| load.tenant == tenant);
        load.expect("one of the tenants").seconds
    }

    /// Reports what has run since the last report.
    pub(super) async fn report(&mut self) {
        let figures = std::mem::take(&mut self.figures);
        let tenants: Vec<Uuid> = figures.keys().copied().collect();
        let queues = vec![QUEUE; tenants.len()];
        let jobs: Vec<i32> = figures.values().map(|figure| figure.0).collect();
        let seconds: Vec<f64> = figures.values().map(|figure| figure.1).collect();
        let sql = "select by_seconds from fairclaim.report_work('w', 'host', '1', array[$1], array[10], null, 20,
                     $2, $3, $4, $5)";
        let row = self.worker.query_one(sql, &[&QUEUE, &tenants, &queues, &jobs, &seconds]).await;
        row.expect("report_work");
        self.since_report = 0.0;
        self.reports += 1;
    }

    fn total(&self) -> f64 {
        self.spent.values().sum()
    }

    /// Counts anew what tenants have got.
    pub(super) fn forget(&mut self) {
        self.spent.clear();
    }

    /// Jain's index of seconds divided by weight: 1 when all have got the same.
    pub(super) fn jain(&self) -> f64 {
        let shares: Vec<f64> = self
            .loads
            .iter()
            .map(|load| {
                self.spent.get(&load.tenant).copied().unwrap_or_default() / f64::from(load.weight)
            })
            .collect();
        let (sum, squares) =
            (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share).sum::<f64>());
        #[allow(clippy::cast_precision_loss, reason = "a handful of tenants")]
        let count = shares.len() as f64;
        sum * sum / (count * squares)
    }

    /// The weights in effect, by tenant.
    pub(super) async fn weights(&self) -> Vec<i16> {
        let owner = self.db.owner().await;
        let sql = "select weight from fairclaim_internal.lane where tenant_id = $1 and queue = $2";
        let mut weights = Vec::new();
        for load in &self.loads {
            weights
                .push(owner.query_one(sql, &[&load.tenant, &QUEUE]).await.expect("a lane").get(0));
        }
        weights
    }
}
