//! What others do while somebody's transaction stays open: everything, and none of it may wait.

use std::mem;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{prompt, prompt_claims, sorted};
use crate::{
    calls::{Claimed, dispatch_batch, settle, settle_all, tenant, tick},
    support::{Client, GenericClient, TestDb},
};

/// Jobs of a priority other than 0 have lanes of their own; light tenants' jobs of priority 0 share one.
pub(super) const OWN: i32 = 7;
pub(super) const SHARED: i32 = 0;

/// Dispatches one job by `dispatch_job`.
pub(super) async fn single(
    client: &impl GenericClient,
    tenant: Uuid,
    job_type: &str,
    priority: i32,
) -> Uuid {
    let sql = "select fairclaim.dispatch_job($1, $2, p_priority => $3)";
    prompt("a dispatch", client.query_one(sql, &[&tenant, &job_type, &priority]))
        .await
        .expect("dispatch_job")
        .get(0)
}

/// A producer and a worker that go on, and the books of what they did.
pub(super) struct Others<'a> {
    db: &'a TestDb,
    producer: Client,
    pub(super) worker: Client,
    job_type: &'a str,
    rounds: usize,
    /// Held since the start: their leases are extended every round.
    pub(super) kept: Vec<Claimed>,
    /// Held since the start, one of an own and one of a shared lane, and never heard of again.
    abandoned: Vec<Claimed>,
    /// Given back by a tick and not claimed again yet.
    returned: Vec<Uuid>,
    dispatched: usize,
    /// Lanes that ticks have closed.
    pub(super) closed: i32,
}

impl<'a> Others<'a> {
    /// Claims a few jobs of the type `mail`, half of them out of an own lane and half out of a shared one.
    pub(super) async fn start(db: &'a TestDb, job_type: &'a str) -> Self {
        db.own_lanes(OWN).await;
        let (producer, worker) = (db.producer().await, db.worker().await);
        let mut kept = Vec::new();
        for _ in 0..2 {
            for (n, priority) in [(1, OWN), (2, SHARED)] {
                single(&producer, tenant(n), "mail", priority).await;
                kept.extend(prompt_claims(&worker, 10).await);
            }
        }
        assert_eq!(kept.len(), 4, "one of each at a time");
        let abandoned = kept.split_off(2);
        Self {
            db,
            producer,
            worker,
            job_type,
            rounds: 0,
            kept,
            abandoned,
            returned: Vec::new(),
            dispatched: 4,
            closed: 0,
        }
    }

    /// One round of everything, at the end of `step`: heartbeats, dispatches, first dispatches, claims, settlements, a tick.
    pub(super) async fn round(&mut self, step: &str) {
        self.db.advance(step).await;
        self.rounds += 1;
        self.keep_leases().await;
        let mut waiting = self.dispatch().await;
        let (first, placed_by_tick) = self.dispatch_first().await;
        self.dispatched += waiting.len() + first.len();
        if !placed_by_tick {
            waiting.extend(&first);
        }
        waiting.append(&mut self.returned);
        self.serve(waiting).await;
        self.tick().await;
        if placed_by_tick {
            let mut placed = mem::take(&mut self.returned);
            placed.extend(first);
            self.serve(placed).await;
        }
    }

    /// Claims what waits, which must be exactly this, and completes it.
    pub(super) async fn serve(&mut self, waiting: Vec<Uuid>) {
        let mut got = prompt_claims(&self.worker, 1_000).await;
        got.extend(prompt_claims(&self.worker, 1_000).await);
        let ids = got.iter().map(|job| job.id);
        assert_eq!(sorted(ids), sorted(waiting), "round {}", self.rounds);
        prompt("settlements", settle_all(&self.worker, &got, "complete")).await;
    }

    /// The heartbeat of all that is kept: each is still held, one too that somebody is settling.
    async fn keep_leases(&self) {
        let ids: Vec<Uuid> = self.kept.iter().map(|job| job.id).collect();
        let attempts: Vec<i32> = self.kept.iter().map(|job| job.attempts).collect();
        let tokens: Vec<Uuid> = self.kept.iter().map(|job| job.token).collect();
        let sql = "select accepted from fairclaim.extend_leases('worker', $1, $2, $3)";
        let rows = prompt("a heartbeat", self.worker.query(sql, &[&ids, &attempts, &tokens]))
            .await
            .expect("extend_leases");
        let accepted: Vec<bool> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(accepted, vec![true; ids.len()], "round {}", self.rounds);
    }

    /// More than 60 jobs of each kind, one by one and in bulk.
    async fn dispatch(&self) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for (n, priority) in [(1, OWN), (2, SHARED)] {
            ids.push(single(&self.producer, tenant(n), self.job_type, priority).await);
        }
        let object = |n: usize, priority: i32| json!({"tenant_id": tenant(n as u128), "type": self.job_type, "priority": priority});
        let own: Vec<Value> = (0..60).map(|_| object(1, OWN)).collect();
        let shared: Vec<Value> = (0..64).map(|n| object(10 + n % 8, SHARED)).collect();
        for batch in [own, shared] {
            ids.extend(prompt("a batch", dispatch_batch(&self.producer, &batch)).await);
        }
        ids
    }

    /// The first jobs of keys that nobody has used, in a transaction, in both isolation levels by turns; and whether they are
    /// placed by the next tick.
    async fn dispatch_first(&self) -> (Vec<Uuid>, bool) {
        let placed_by_tick = self.rounds % 2 == 1;
        let level = if placed_by_tick { "repeatable read" } else { "read committed" };
        let begin = format!("begin isolation level {level}");
        self.producer.batch_execute(&begin).await.expect("begin");
        let mut ids = Vec::new();
        for priority in [OWN, SHARED] {
            let first = format!("first{}", self.rounds);
            ids.push(single(&self.producer, tenant(3), &first, priority).await);
        }
        prompt("a commit", self.producer.batch_execute("commit")).await.expect("commit");
        (ids, placed_by_tick)
    }

    /// A tick that does its work. Either no lease has expired yet, or all that were abandoned come back at once.
    pub(super) async fn tick(&mut self) {
        let row = prompt("a tick", tick(&self.worker)).await;
        assert!(!row.get::<_, bool>("busy"), "an open transaction keeps ticks away");
        self.closed += row.get::<_, i32>("closed");
        let returned: i32 = row.get("returned");
        if returned > 0 {
            let abandoned = mem::take(&mut self.abandoned);
            assert_eq!(usize::try_from(returned), Ok(abandoned.len()), "round {}", self.rounds);
            for job in &abandoned {
                let late = prompt("a settlement", settle(&self.worker, job, "complete")).await;
                assert!(!late.accepted, "the lease is lost");
            }
            self.returned.extend(abandoned.iter().map(|job| job.id));
        }
    }

    /// When everybody has ended: completes what is kept still, and looks whether the queue is empty and everything done,
    /// `more` jobs of somebody else's among it, and so many of them after a lost lease.
    pub(super) async fn finish(mut self, more: usize, lost: i64) {
        assert!(self.abandoned.is_empty(), "the expired leases never came back");
        prompt("settlements", settle_all(&self.worker, &self.kept, "complete")).await;
        self.db.advance("20 s").await;
        for _ in 0..4 {
            self.tick().await;
        }
        let sql = "select (select count(*) from fairclaim_internal.finished where status = 'completed'),
                          (select count(*) from fairclaim_internal.job), (select count(*) from fairclaim_internal.ready),
                          (select count(*) from fairclaim_internal.running), (select count(*) from fairclaim_internal.lane where tenant_id is not null),
                          (select count(*) from fairclaim_internal.finished where attempts > 1)";
        let row = self.db.owner().await.query_one(sql, &[]).await.expect("counts");
        let all = i64::try_from(self.dispatched + more).expect("small");
        assert_eq!([0, 1].map(|n| row.get::<_, i64>(n)), [all, all], "completed, and dispatched");
        assert_eq!([2, 3, 4].map(|n| row.get::<_, i64>(n)), [0, 0, 0], "waiting, running, lanes");
        assert_eq!(row.get::<_, i64>(5), lost, "leases that had expired");
    }
}
