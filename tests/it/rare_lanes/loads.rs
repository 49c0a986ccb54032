//! However jobs come, own lanes are as many as tenants have backlogs, a minute later: at most twice as many keys as have jobs waiting
//! in them, and a hundred. The clock is moved; each second of a minute has its load, its claims, and the ticks that are wanted. A lane that ran
//! empty stays for ten seconds, so the loads have fewer than ten newcomers a second.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio_postgres::IsolationLevel;

use super::{number, own_lanes};
use crate::{
    calls::{claim_jobs, dispatch_batch, settle_all, tenant},
    support::{Client, TestDb},
};

/// More than wait in shared lanes: a tenant that has so many gets a lane of its own.
const BURST: usize = 9;
/// How many ticks of a second are called at most, where each leaves something over.
const TICKS_MAX: usize = 60;
const BACKLOGGED: &str = "select count(distinct (l.queue, l.tenant_id, l.priority, l.type)) from fairclaim_internal.lane l
     where l.tenant_id is not null and exists (select from fairclaim_internal.ready y where y.lane_id = l.lane_id)";

struct Minute {
    db: TestDb,
    owner: Client,
    producer: Client,
    worker: Client,
    /// Tenants that have had a turn.
    tenants: u128,
    /// The most own lanes that were there at once.
    most: i64,
}

impl Minute {
    async fn new() -> Self {
        let db = TestDb::with_test_clock().await;
        let (owner, producer, worker) = (db.owner().await, db.producer().await, db.worker().await);
        Self { db, owner, producer, worker, tenants: 0, most: 0 }
    }

    /// Bursts of tenants that nobody has seen before.
    fn newcomers(&mut self, count: u128, priority: i32) -> Vec<Value> {
        let first = self.tenants;
        self.tenants += count;
        let of = |n: u128| json!({"tenant_id": tenant(n), "type": "mail", "priority": priority});
        (first..first + count).flat_map(|n| std::iter::repeat_n(of(n), BURST)).collect()
    }

    async fn burst(&mut self, count: u128, priority: i32) {
        let jobs = self.newcomers(count, priority);
        for part in jobs.chunks(9_000) {
            dispatch_batch(&self.producer, part).await;
        }
    }

    async fn drain(&mut self) {
        self.most = self.most.max(own_lanes(&self.owner).await);
        let mut cursor = None;
        loop {
            let jobs = claim_jobs(&self.worker, 1_000, &mut cursor).await;
            if jobs.is_empty() {
                return;
            }
            settle_all(&self.worker, &jobs, "complete").await;
        }
    }

    /// A second passes, and whoever maintains the queue comes as often as it is wanted.
    async fn second(&self) {
        self.db.advance("1 s").await;
        let sql = "select next_tick_in from fairclaim.tick()";
        for _ in 0..TICKS_MAX {
            let next: f64 = self.worker.query_one(sql, &[]).await.expect("tick").get(0);
            if next >= 0.5 {
                return;
            }
        }
    }

    async fn check(&self, load: &str) {
        let (lanes, keys) = (own_lanes(&self.owner).await, number(&self.owner, BACKLOGGED).await);
        let most = self.most;
        assert!(
            lanes <= 2 * keys + 100,
            "{load}: {lanes} own lanes, {most} at most before, of {keys} keys with jobs"
        );
    }
}

/// Twenty connections whose transactions take five seconds each overlap all the time; each dispatches jobs of some of a
/// hundred types, and the burst of a newcomer with a priority.
#[tokio::test(flavor = "multi_thread")]
async fn lanes_go_while_slow_transactions_overlap() {
    let mut minute = Minute::new().await;
    let mut open: VecDeque<Client> = VecDeque::new();
    for second in 0..60_u32 {
        for n in 0..4 {
            let slow = minute.db.direct_session("test_producer").await;
            slow.batch_execute("begin").await.expect("begin");
            let kind = (second * 4 + n) % 100;
            let mut jobs = minute.newcomers(1, 3);
            jobs.push(json!({"tenant_id": tenant(900_000), "type": format!("type-{kind}")}));
            dispatch_batch(&slow, &jobs).await;
            open.push_back(slow);
        }
        minute.burst(3, 3).await;
        while open.len() > 20 {
            open.pop_front().expect("one").batch_execute("commit").await.expect("commit");
        }
        minute.drain().await;
        minute.second().await;
    }
    assert!(minute.most > 20, "{} own lanes are no load", minute.most);
    minute.check("overlapping transactions").await;
    for slow in open {
        slow.batch_execute("commit").await.expect("commit");
    }
    minute.second().await;
    minute.drain().await;
    let left = "select count(*) from fairclaim_internal.ready";
    assert_eq!(number(&minute.owner, left).await, 0, "jobs of slow transactions are claimed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_of_many_tenants_that_came_once_are_gone_a_minute_later() {
    let mut minute = Minute::new().await;
    let light: Vec<Value> = (0..20_000_u128)
        .map(|n| json!({"tenant_id": tenant(1_000_000 + n), "type": "mail", "priority": 1}))
        .collect();
    for part in light.chunks(10_000) {
        dispatch_batch(&minute.producer, part).await;
    }
    assert_eq!(own_lanes(&minute.owner).await, 0, "one job of a priority makes none");
    minute.burst(3_000, 1).await;
    minute.drain().await;
    assert_eq!(minute.most, 3_000);
    // jobs of light tenants wait all the while
    let waits: Vec<Value> = (0..1_000_u128)
        .map(|n| json!({"tenant_id": tenant(2_000_000 + n), "type": "mail"}))
        .collect();
    dispatch_batch(&minute.producer, &waits).await;
    for _ in 0..60 {
        minute.second().await;
    }
    minute.check("many tenants that came once").await;
    assert_eq!(number(&minute.owner, "select count(*) from fairclaim_internal.ready").await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_go_under_a_held_snapshot() {
    let mut minute = Minute::new().await;
    let mut reader = minute.db.auditor().await;
    let held = reader.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let held = held.start().await.expect("begin");
    held.query_one("select count(*) from fairclaim.job_queue", &[]).await.expect("a snapshot");
    for _ in 0..60 {
        minute.burst(6, 0).await;
        minute.drain().await;
        minute.second().await;
    }
    assert!(minute.most > 20, "{} own lanes are no load", minute.most);
    minute.check("a held snapshot").await;
    held.commit().await.expect("commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_other_levels_make_no_lanes() {
    let mut minute = Minute::new().await;
    let one = "select fairclaim.dispatch_job($1, 'mail', p_priority => 2)";
    for second in 0..60_u128 {
        for n in 0..10 {
            let level = ["repeatable read", "serializable"][usize::from(n % 2 == 1)];
            let begin = format!("begin isolation level {level}");
            minute.producer.batch_execute(&begin).await.expect("begin");
            minute.producer.query_one(one, &[&tenant(n)]).await.expect("dispatch_job");
            minute.producer.batch_execute("commit").await.expect("commit");
        }
        minute.second().await;
        if second % 3 == 2 {
            minute.drain().await;
        }
    }
    minute.check("other levels").await;
    assert_eq!(minute.most, 0, "they are few at a time");
}
