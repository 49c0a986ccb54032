//! Rates: how many jobs may begin in a time. The clock of these tests stands still and is moved by hand.

use std::{collections::BTreeMap, time::Duration};

use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, dispatch_many, settle_all, tenant, tick},
    late_claims::late,
    notify::stop_clock,
    support::{Client, TestDb},
};

/// A rate as it stands in the table: whose, in which queue, and how many in how many seconds, how many of them at once.
#[derive(Clone, Copy)]
struct Rate {
    subject: &'static str,
    tenant: u128,
    queue: &'static str,
    units: i32,
    period: f64,
    burst: i32,
}

/// Of the claims of these tests, in milliseconds.
const LEASE: u64 = 300_000;

/// What every tenant may have: 10 a second, 3 at once.
const DEFAULT: Rate =
    Rate { subject: "default", tenant: 0, queue: "", units: 10, period: 1.0, burst: 3 };

struct Scene {
    db: TestDb,
    producer: Client,
    worker: Client,
    owner: Client,
    /// Milliseconds since the beginning.
    now: u64,
}

impl Scene {
    async fn new(rates: &[Rate]) -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
        let scene = Self { db, producer, worker, owner, now: 0 };
        for rate in rates {
            scene.set(*rate).await;
        }
        scene
    }

    async fn set(&self, rate: Rate) {
        let sql = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, units, period, burst)
                   values ($1, $2, $3, $4, $5, $6)";
        let id = Uuid::from_u128(rate.tenant);
        self.owner
            .execute(
                sql,
                &[&rate.subject, &id, &rate.queue, &rate.units, &rate.period, &rate.burst],
            )
            .await
            .expect("a rate");
    }

    async fn advance(&mut self, millis: u64) {
        self.db.advance(&format!("{millis} ms")).await;
        self.now += millis;
    }

    async fn claim(&self, limit: i32) -> Vec<Claimed> {
        claim_jobs(&self.worker, limit, &mut None).await
    }

    async fn number(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.expect("a number").get(0)
    }
}

fn by_tenant(jobs: &[Claimed]) -> BTreeMap<Uuid, usize> {
    jobs.iter().fold(BTreeMap::new(), |mut counts, job| {
        *counts.entry(job.tenant).or_default() += 1;
        counts
    })
}

/// The most jobs that began in any window, less what the rate allows in a window of that length. Times are in milliseconds.
fn overshoot(begun: &[u64], rate: Rate) -> f64 {
    let allowed = |millis: u64| {
        let seconds = Duration::from_millis(millis).as_secs_f64();
        (seconds * f64::from(rate.units) / rate.period + 1e-6).floor() + f64::from(rate.burst)
    };
    let windows = begun.iter().enumerate().flat_map(|(first, from)| {
        begun[first..].iter().zip(1_u32..).map(move |(to, jobs)| (jobs, to - from))
    });
    windows.map(|(jobs, length)| f64::from(jobs) - allowed(length)).fold(f64::MIN, f64::max)
}

#[tokio::test]
async fn a_default_rate_lets_each_tenant_begin_its_burst_and_then_so_many_in_a_time() {
    let mut scene = Scene::new(&[DEFAULT]).await;
    for n in 1..=3 {
        dispatch_many(&scene.producer, tenant(n), "default", "mail", 6).await;
    }
    let first = scene.claim(100).await;
    assert!(by_tenant(&first).values().all(|jobs| *jobs == 3), "{first:?}");
    assert_eq!(first.len(), 9);
    settle_all(&scene.worker, &first, "complete").await;
    assert!(scene.claim(100).await.is_empty(), "the burst is used up, whatever has ended");
    scene.advance(99).await;
    assert!(scene.claim(1).await.is_empty(), "a unit takes 100 ms");
    scene.advance(1).await;
    assert_eq!(scene.claim(100).await.len(), 3, "one of each");
    scene.advance(1000).await;
    assert_eq!(scene.claim(100).await.len(), 6, "the rest: a burst and no more is saved up");
}

#[tokio::test]
async fn no_window_of_any_length_has_more_than_its_rate_whoever_claims_and_how_many() {
    // 7 in 3 seconds is no whole number of microseconds a unit
    let rate = Rate { units: 7, period: 3.0, burst: 4, ..DEFAULT };
    let mut scene = Scene::new(&[rate]).await;
    for n in 1..=4 {
        dispatch_many(&scene.producer, tenant(n), "default", "mail", 60).await;
    }
    let others = [scene.db.worker().await, scene.db.worker().await];
    let mut begun: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for (step, limit) in (0..120_u64).zip([1, 10, 100].into_iter().cycle()) {
        let mut jobs = scene.claim(limit).await;
        jobs.extend(claim_jobs(&others[usize::from(limit == 10)], 10, &mut None).await);
        for job in &jobs {
            begun.entry(job.tenant).or_default().push(scene.now);
        }
        settle_all(&scene.worker, &jobs, "complete").await;
        if step % 7 == 0 {
            tick(&scene.worker).await;
        }
        scene.advance(step * step % 397).await;
    }
    let ideal = Duration::from_millis(scene.now).as_secs_f64() * 7.0 / 3.0 + 4.0;
    for times in begun.values() {
        assert!(
            overshoot(times, rate) <= 0.0,
            "{} above the rate: {times:?}",
            overshoot(times, rate)
        );
        let began = f64::from(u32::try_from(times.len()).expect("a count"));
        assert!(began > 0.8 * ideal.min(60.0), "{began} of {ideal}");
    }
    assert_eq!(begun.len(), 4);
}

#[tokio::test]
async fn claims_at_one_moment_share_what_a_rate_leaves_and_without_the_lock_they_would_not() {
    for (locked, most) in [(true, 3), (false, usize::MAX)] {
        let scene = Scene::new(&[DEFAULT]).await;
        dispatch_many(&scene.producer, tenant(1), "default", "mail", 40).await;
        if !locked {
            let sql = "select pg_get_functiondef('fairclaim_internal.room_under_limits'::regproc)";
            let text: String = scene.owner.query_one(sql, &[]).await.expect("a function").get(0);
            let mutant = text.replace("= wanted.slot for update skip locked", "= wanted.slot");
            assert_ne!(mutant, text);
            scene.owner.batch_execute(&mutant).await.expect("a claim that locks nothing");
        }
        let mut open = Vec::new();
        let mut begun = 0;
        for _ in 0..4 {
            let session = scene.db.worker().await;
            session.batch_execute("begin").await.expect("begin");
            begun += claim_jobs(&session, 10, &mut None).await.len();
            open.push(session);
        }
        for session in &open {
            session.batch_execute("commit").await.expect("commit");
        }
        if locked {
            assert_eq!(begun, most, "one claim has the slot, the others pass by");
        } else {
            assert!(begun > 3, "the control must begin too many: {begun}");
        }
    }
}

#[tokio::test]
async fn the_rate_of_a_tenant_goes_before_the_default_and_that_of_a_queue_binds_all_together() {
    let own = Rate { subject: "tenant", tenant: tenant(1).as_u128(), burst: 5, ..DEFAULT };
    let in_queue = Rate { queue: "slow", burst: 1, ..DEFAULT };
    let whole = Rate { subject: "queue", queue: "narrow", burst: 4, ..DEFAULT };
    let mut scene = Scene::new(&[DEFAULT, own, in_queue, whole]).await;
    for queue in ["default", "slow", "narrow"] {
        for n in 1..=2 {
            dispatch_many(&scene.producer, tenant(n), queue, "mail", 20).await;
        }
    }
    let claim = async |queue: &str| {
        let sql = "select tenant_id from fairclaim.claim_jobs('w', array[$1], 100)";
        let rows = scene.worker.query(sql, &[&queue]).await.expect("claim_jobs");
        let of = |n| rows.iter().filter(|row| row.get::<_, Uuid>(0) == tenant(n)).count();
        (of(1), of(2))
    };
    assert_eq!(claim("slow").await, (1, 1), "the default of the queue");
    let narrow = claim("narrow").await;
    assert_eq!(narrow.0 + narrow.1, 4, "the queue's own, all tenants together");
    let rest = claim("default").await;
    assert_eq!(
        rest,
        (4 - narrow.0, 2_usize.saturating_sub(narrow.1)),
        "what is left over all queues: 5 and 3, less what began in the others"
    );
    scene.advance(100).await;
}

#[tokio::test]
async fn who_waits_long_for_its_rate_is_not_walked_and_comes_back_in_time() {
    // one in ten seconds
    let slow = Rate { units: 1, period: 10.0, burst: 1, ..DEFAULT };
    let mut scene = Scene::new(&[slow]).await;
    for n in 1..=30 {
        dispatch_many(&scene.producer, tenant(n), "default", "mail", 12).await;
    }
    assert_eq!(scene.claim(100).await.len(), 30);
    for _ in 0..3 {
        scene.advance(1000).await;
        tick(&scene.worker).await;
    }
    let unwalked =
        "select count(*) from fairclaim_internal.lane where tenant_id is not null and not walked";
    assert_eq!(scene.number(unwalked).await, 30);
    let shared = "select count(*) from fairclaim_internal.ready where (lane_id >> 32) < 0";
    assert_eq!(
        scene.number(shared).await,
        0,
        "nothing is left in the shared lane to be passed over"
    );
    assert!(scene.claim(10).await.is_empty());
    for _ in 0..6 {
        scene.advance(1000).await;
        tick(&scene.worker).await;
    }
    assert_eq!(scene.number(unwalked).await, 0, "a tick walks them again before they are due");
    assert!(scene.claim(100).await.is_empty(), "a second before");
    scene.advance(1000).await;
    assert_eq!(scene.claim(100).await.len(), 30, "when they are due");
}

#[tokio::test]
async fn a_claim_that_found_nothing_is_woken_when_a_rate_has_room() {
    let mut scene = Scene::new(&[DEFAULT]).await;
    dispatch_many(&scene.producer, tenant(1), "default", "mail", 20).await;
    for _ in 0..3 {
        scene.advance(1000).await;
        tick(&scene.worker).await;
    }
    assert_eq!(scene.claim(10).await.len(), 3);
    assert!(scene.claim(10).await.is_empty());
    let wait: f64 = tick(&scene.worker).await.get("next_tick_in");
    assert!((0.09..=0.11).contains(&wait), "the next tick is at 100 ms: {wait}");
    let asked = "select pg_sequence_last_value('fairclaim_internal.rate_at')";
    assert!(scene.number(asked).await > 0);
    scene.advance(101).await;
    tick(&scene.worker).await;
    assert_eq!(scene.number(asked).await, 0, "it has woken who sleeps");
    assert_eq!(scene.claim(10).await.len(), 1);
}

#[tokio::test]
async fn a_rate_and_a_limit_of_running_jobs_hold_together_and_nothing_is_stuck_after_a_restart() {
    let mut scene = Scene::new(&[DEFAULT]).await;
    let sql = "update fairclaim_internal.running_limit set max_running = 2";
    scene.owner.batch_execute(sql).await.expect("a limit");
    for _ in 0..4 {
        tick(&scene.worker).await;
    }
    dispatch_many(&scene.producer, tenant(1), "default", "mail", 30).await;
    let mut begun = Vec::new();
    let mut settled = 0;
    for step in 0..120 {
        let jobs = scene.claim(10).await;
        begun.extend(jobs.iter().map(|_| scene.now));
        let running = scene.number("select count(*) from fairclaim_internal.running").await;
        assert!(running <= 2, "{running} run");
        // every third time the worker dies with what it has: the leases run out
        if step % 3 == 0 {
            scene.advance(LEASE + 1000).await;
        } else {
            settle_all(&scene.worker, &jobs, "complete").await;
            settled += jobs.len();
            scene.advance(70).await;
        }
        tick(&scene.worker).await;
        let left = "select count(*) from fairclaim_internal.ready";
        if scene.number(left).await == 0 && settled > 0 && jobs.is_empty() {
            break;
        }
    }
    assert!(overshoot(&begun, DEFAULT) <= 0.0, "{begun:?}");
    let waiting = scene
        .number("select (select count(*) from fairclaim_internal.ready r join fairclaim_internal.lane l using (lane_id) where not l.alone) + (select count(*) from fairclaim_internal.running)")
        .await;
    assert_eq!(waiting, 0, "everything has ended that may run beside others");
}

#[tokio::test]
async fn a_claim_that_had_to_wait_gives_its_waiting_to_nobody() {
    let scene = Scene::new(&[DEFAULT]).await;
    dispatch_many(&scene.producer, tenant(1), "default", "mail", 40).await;
    let call = "select id from fairclaim.claim_jobs('late', null, 100, p_lease => 300)";
    assert_eq!(late(&scene.db, "10 s", call).await.expect("claim_jobs"), 3, "the burst");
    assert!(scene.claim(100).await.is_empty(), "ten seconds are over for nobody twice");
}
