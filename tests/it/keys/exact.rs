//! Never one more than may.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, settle, settle_after, tick},
    support::Client,
};

use super::{Stage, claim_whole, keyed};

const KEYS: [(&str, i64); 6] = [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 3), ("f", 5)];
const JOBS: usize = 360;

/// The jobs of each key that may be running at this moment, counted from the answer of their claim to the sending of their
/// settlement: so no more than the database lets run.
struct Count {
    key_of: HashMap<Uuid, usize>,
    running: [AtomicI64; KEYS.len()],
    done: AtomicBool,
}

impl Count {
    fn begin(&self, job: &Claimed) {
        let key = self.key_of[&job.id];
        let now = self.running[key].fetch_add(1, Ordering::SeqCst) + 1;
        assert!(now <= KEYS[key].1, "{now} of {:?}", KEYS[key]);
    }

    fn end(&self, job: &Claimed) {
        self.running[self.key_of[&job.id]].fetch_sub(1, Ordering::SeqCst);
    }
}

/// Claims and settles in every way, and dies now and then: what it holds is lost with it.
async fn work(worker: Client, count: Arc<Count>, number: u64) {
    let mut draw = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !count.done.load(Ordering::SeqCst) {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        let dies = draw & 1 == 0; // only where leases are short
        let jobs = match draw >> 1 & 7 {
            _ if dies => claim_whole(&worker, 3).await,
            0 => claim_alone(&worker).await,
            _ => claim_jobs(&worker, 2, &mut None).await,
        };
        for job in &jobs {
            count.begin(job);
        }
        for (at, job) in jobs.iter().enumerate() {
            count.end(job);
            match (draw >> (8 * at + 8)) % 20 {
                0 if dies && job.lost < 2 => {} // the lease ends
                1 if job.attempts_left > 20 => {
                    settle_after(&worker, job, "retry", Some(1.0)).await;
                }
                2 => {
                    settle(&worker, job, "release").await;
                }
                _ => {
                    settle(&worker, job, "complete").await;
                }
            }
        }
    }
}

/// A job that was lost twice.
async fn claim_alone(worker: &Client) -> Vec<Claimed> {
    let sql =
        "select * from fairclaim.claim_jobs('worker', null, 1, p_lease => 300, p_alone => true)";
    worker.query(sql, &[]).await.expect("a claim").iter().map(Claimed::from).collect()
}

/// Jobs in lanes or running, by key, beyond what its limit allows; and jobs there without a slot.
const BEYOND: &str = "
    select count(*)
      from (select job.key, count(*) as jobs
              from (select id from fairclaim_internal.ready union all select id from fairclaim_internal.running) out
              join fairclaim_internal.job on job.id = out.id
             group by job.key) counted
     where counted.jobs > case counted.key when 'd' then 2 when 'e' then 3 when 'f' then 5 else 1 end";

#[tokio::test]
async fn eight_claimers_that_die_at_times_never_run_more_of_a_key_than_may() {
    let stage = Stage::new().await;
    for (key, most) in KEYS {
        if most > 1 {
            stage.limit(key, Some(i32::try_from(most).expect("small"))).await;
        }
    }
    let mut key_of = HashMap::new();
    for n in 0..JOBS {
        let key = n % KEYS.len();
        key_of.insert(keyed(&stage.producer, KEYS[key].0, n % 7 == 0 && key < 3).await, key);
    }
    let count =
        Arc::new(Count { key_of, running: Default::default(), done: AtomicBool::new(false) });
    let mut workers = Vec::new();
    for number in 1..=8 {
        let worker = stage.db.worker().await;
        workers.push(tokio::spawn(work(worker, Arc::clone(&count), number)));
    }
    let owner = stage.db.owner().await;
    for round in 0.. {
        stage.db.advance("200 ms").await;
        tick(&stage.worker).await;
        let row = owner.query_one(BEYOND, &[]).await.expect("a sample");
        assert_eq!(row.get::<_, i64>(0), 0, "jobs beyond the limit of their key");
        let ended = stage.count("finished").await;
        if ended == i64::try_from(JOBS).expect("few")
            || workers.iter().any(tokio::task::JoinHandle::is_finished)
        {
            break;
        }
        assert!(round < 5_000, "{ended} of {JOBS} jobs have ended");
    }
    count.done.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.expect("a worker");
    }
    stage.expect_nothing_left().await;
}

#[tokio::test]
async fn open_dispatches_of_one_key_never_let_two_jobs_go() {
    let stage = Stage::new().await;
    let other = stage.db.producer().await;
    let mut jobs = Vec::new();
    for producer in [&stage.producer, &other] {
        producer.batch_execute("begin").await.expect("begin");
        jobs.push(keyed(producer, "a", false).await);
    }
    assert!(stage.claim().await.is_empty());
    other.batch_execute("commit").await.expect("commit");
    let job = stage.one().await;
    assert_eq!(job.id, jobs[1]);
    stage.producer.batch_execute("commit").await.expect("commit");
    assert!(stage.claim().await.is_empty(), "the other one runs");
    settle(&stage.worker, &job, "complete").await;
    assert_eq!(stage.ids().await, [jobs[0]]);
}

/// A settlement that stays open holds up its own key, and no job of it is left behind: neither when it commits nor when it rolls
/// back.
#[tokio::test]
async fn a_settlement_that_stays_open_delays_its_own_key_alone() {
    for ending in ["commit", "rollback"] {
        let stage = Stage::new().await;
        stage.job("a").await;
        let job = stage.one().await;
        let settler = stage.db.worker().await;
        settler.batch_execute("begin").await.expect("begin");
        assert!(settle(&settler, &job, "complete").await.accepted);
        let next = stage.job("a").await; // the settlement has looked already
        for n in 0..40 {
            let other = stage.job(&format!("b{n}")).await;
            assert_eq!(stage.ids().await, [other]);
        }
        settler.batch_execute(ending).await.expect("an end");
        if ending == "rollback" {
            assert!(stage.claim().await.is_empty());
            assert!(settle(&stage.worker, &job, "complete").await.accepted);
        }
        assert_eq!(stage.ids().await, [next], "{ending}");
    }
}

/// Two workers look at one key at the same moment.
async fn race(stage: &Stage) -> usize {
    for _ in 0..2 {
        stage.job("a").await;
    }
    let other = stage.db.worker().await;
    stage.worker.batch_execute("begin").await.expect("begin");
    let first = claim_whole(&stage.worker, 1).await;
    let second = claim_whole(&other, 1).await;
    stage.worker.batch_execute("commit").await.expect("commit");
    first.len() + second.len()
}

#[tokio::test]
async fn a_mover_that_does_not_lock_the_key_lets_two_jobs_go() {
    // nobody deletes a note here, or the second would wait for the first
    let notes = ("and not done.keep", "and false");
    let locks = ("order by key_lock.slot for update skip locked", "order by key_lock.slot");
    for (mutations, gone) in [(vec![notes], 1), (vec![notes, locks], 2)] {
        let stage = Stage::new().await;
        let owner = stage.db.owner().await;
        let sql = "select pg_get_functiondef('fairclaim_internal.admit_keys'::regproc)";
        let mut text: String = owner.query_one(sql, &[]).await.expect("its text").get(0);
        for (good, bad) in mutations {
            assert!(text.contains(good), "{good}");
            text = text.replace(good, bad);
        }
        owner.batch_execute(&text).await.expect("the mutant");
        assert_eq!(race(&stage).await, gone);
    }
}
