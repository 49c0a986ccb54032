//! Limits of running jobs: each kind alone and together, exact, and no job waits that may be claimed.

mod each_kind;
pub(crate) mod exact;
mod flat;
mod shared_lane;

use crate::{
    calls::{Bound, Claimed, set_limit, tick},
    notify::stop_clock,
    support::{Client, GenericClient, TestDb},
};

/// How many jobs wait that may be claimed at this moment, by what the tables say and in plain SQL. $1: those that are to run
/// alone, or the others.
const CLAIMABLE: &str = "
    with waiting as (
      select j.tenant_id, j.queue from fairclaim_internal.ready r
        join fairclaim_internal.job j on j.id = r.id and j.tenant_id = r.tenant_id
       where (r.lost >= 2) = $1 and r.lane_id in (select l.lane_id from fairclaim_internal.lane l)),
    held as (
      select j.tenant_id, j.queue, count(*) as jobs from fairclaim_internal.running r
        join fairclaim_internal.job j on j.id = r.id and j.tenant_id = r.tenant_id
       group by 1, 2)
    select count(*) from waiting w
     where coalesce((select sum(h.jobs) from held h where h.tenant_id = w.tenant_id), 0)
           < coalesce((select b.max_running from fairclaim_internal.running_limit b
                        where b.subject = 'tenant' and b.tenant_id = w.tenant_id and b.queue = ''),
                      (select b.max_running from fairclaim_internal.running_limit b
                        where b.subject = 'default' and b.queue = ''), 1000000)
       and coalesce((select sum(h.jobs) from held h where h.tenant_id = w.tenant_id and h.queue = w.queue), 0)
           < coalesce((select b.max_running from fairclaim_internal.running_limit b
                        where b.subject = 'tenant' and b.tenant_id = w.tenant_id and b.queue = w.queue),
                      (select b.max_running from fairclaim_internal.running_limit b
                        where b.subject = 'default' and b.queue = w.queue), 1000000)
       and coalesce((select sum(h.jobs) from held h where h.queue = w.queue), 0)
           < coalesce((select b.max_running from fairclaim_internal.running_limit b
                        where b.subject = 'queue' and b.queue = w.queue), 1000000)";

/// Limits that more jobs run under than they allow.
const EXCEEDED: &str = "
    with held as (
      select j.tenant_id, j.queue from fairclaim_internal.running r
        join fairclaim_internal.job j on j.id = r.id and j.tenant_id = r.tenant_id),
    bound as (
      select b.subject, b.queue, b.max_running, t.tenant_id
        from fairclaim_internal.running_limit b
        join (select distinct held.tenant_id from held) t
          on b.tenant_id = t.tenant_id
             or b.subject = 'default' and not exists (
                  select from fairclaim_internal.running_limit own
                   where own.subject = 'tenant' and own.tenant_id = t.tenant_id and own.queue = b.queue)
      union all
      select b.subject, b.queue, b.max_running, null
        from fairclaim_internal.running_limit b where b.subject = 'queue')
    select format('%s of %s in %s: %s of %s', b.subject, b.tenant_id, b.queue, count(*), b.max_running)
      from bound b
      join held on held.tenant_id = coalesce(b.tenant_id, held.tenant_id)
               and b.queue in ('', held.queue)
     group by b.subject, b.tenant_id, b.queue, b.max_running
    having count(*) > b.max_running";

/// A database whose clock stands still, and who takes part.
struct Scene {
    db: TestDb,
    producer: Client,
    worker: Client,
    owner: Client,
}

impl Scene {
    async fn new() -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
        Self { db, producer, worker, owner }
    }

    /// Sets these limits, and lets them come into effect.
    async fn limits(&self, limits: &[(Bound<'_>, i32)]) {
        for (bound, max) in limits {
            set_limit(&self.owner, *bound, Some(*max)).await;
        }
        self.ticks(5).await;
        let sql = "select count(*) from fairclaim_internal.running_limit b where not b.active";
        assert_eq!(self.count(sql).await, 0, "limits that are not in effect");
    }

    /// Half a second and a tick, so many times.
    async fn ticks(&self, n: usize) {
        for _ in 0..n {
            self.db.advance("0.5 s").await;
            tick(&self.worker).await;
        }
    }

    async fn count(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.expect(sql).get(0)
    }

    /// A claim, and what must hold after it: no limit is exceeded, and it found nothing only if nothing may be claimed.
    async fn claim(&self, how: &Asking<'_>) -> Vec<Claimed> {
        let jobs = how.claim(&self.worker).await;
        let exceeded = self.owner.query(EXCEEDED, &[]).await.expect("exceeded");
        let exceeded: Vec<&str> = exceeded.iter().map(|row| row.get(0)).collect();
        assert!(exceeded.is_empty(), "{exceeded:?} after {how:?}");
        if jobs.is_empty() {
            assert_eq!(self.claimable(how.alone).await, 0, "{how:?} found nothing");
        }
        jobs
    }

    async fn claimable(&self, alone: bool) -> i64 {
        self.owner.query_one(CLAIMABLE, &[&alone]).await.expect("claimable").get(0)
    }

    /// Claims until there is nothing to be had.
    async fn claim_all(&self, how: &Asking<'_>) -> Vec<Claimed> {
        let mut all = Vec::new();
        loop {
            let jobs = self.claim(how).await;
            if jobs.is_empty() {
                return all;
            }
            all.extend(jobs);
        }
    }
}

/// What a claim asks for: all queues, unless some are named.
#[derive(Debug, Clone, Copy)]
struct Asking<'list> {
    jobs: i32,
    queues: Option<&'list [&'list str]>,
    alone: bool,
}

impl Asking<'_> {
    const fn of(jobs: i32) -> Self {
        Self { jobs, queues: None, alone: false }
    }

    async fn claim(&self, worker: &impl GenericClient) -> Vec<Claimed> {
        let sql =
            "select * from fairclaim.claim_jobs('worker', $1, $2, p_lease => 3600, p_alone => $3)";
        let rows =
            worker.query(sql, &[&self.queues, &self.jobs, &self.alone]).await.expect("claim_jobs");
        rows.iter().map(Claimed::from).collect()
    }
}
