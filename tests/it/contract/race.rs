//! Line 3 as a race: who gets a job that several want.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::calls::{Claimed, claim_job, dispatch, tenant, try_claim_jobs};
use crate::support::TestDb;

#[tokio::test]
async fn line_3_two_workers_and_one_job_exactly_one_gets_it() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let (a, b) = (db.worker().await, db.worker().await);
    let mut won = [0, 0];
    for round in 0..1000 {
        let id = dispatch(&producer, tenant(round % 7), "mail").await;
        let (got_a, got_b) = if round % 2 == 0 {
            tokio::join!(claim_job(&a, "a"), claim_job(&b, "b"))
        } else {
            let (got_b, got_a) = tokio::join!(claim_job(&b, "b"), claim_job(&a, "a"));
            (got_a, got_b)
        };
        match (got_a, got_b) {
            (Some(job), None) => {
                assert_eq!(job.id, id);
                won[0] += 1;
            }
            (None, Some(job)) => {
                assert_eq!(job.id, id);
                won[1] += 1;
            }
            (None, None) => panic!("round {round}: nobody got the job"),
            (Some(_), Some(_)) => panic!("round {round}: both got the job"),
        }
    }
    assert_eq!(won[0] + won[1], 1000);
    assert!(won[0] > 0 && won[1] > 0, "no race: one of the two always came first {won:?}");
}

/// How the claimers of the big race end.
struct Race {
    db: TestDb,
    total: usize,
    committed: AtomicUsize,
    died: AtomicUsize,
}

/// Claims until all jobs are claimed by somebody; every ninth transaction ends by a dropped connection.
async fn claimer(race: Arc<Race>, number: usize) -> Vec<Claimed> {
    let mut mine = Vec::new();
    let mut cursor = None;
    let mut client = race.db.worker().await;
    let mut calls = number;
    while race.committed.load(Ordering::SeqCst) < race.total {
        calls += 1;
        let open = client.transaction().await.expect("begin");
        let limit = [1, 7, 40, 100][calls % 4];
        let got = match limit {
            1 => claim_job(&open, "worker").await.into_iter().collect(),
            _ => try_claim_jobs(&open, limit, &mut cursor).await.expect("claim_jobs"),
        };
        if got.is_empty() {
            drop(open);
            tokio::task::yield_now().await;
        } else if calls.is_multiple_of(9) {
            std::mem::forget(open); // no rollback is sent: the server sees the connection end
            client = race.db.worker().await;
            race.died.fetch_add(1, Ordering::SeqCst);
        } else {
            open.commit().await.expect("commit");
            race.committed.fetch_add(got.len(), Ordering::SeqCst);
            mine.extend(got);
        }
    }
    mine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_3_n_workers_and_m_jobs_each_is_claimed_exactly_once() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    for _ in 0..5 {
        producer
            .execute(
                "select fairclaim.dispatch_jobs((
                   select jsonb_agg(jsonb_build_object('tenant_id', fairclaim.tenant_uuid('t' || g % 200), 'type', 'type' || g % 3))
                     from generate_series(1, 10000) g))",
                &[],
            )
            .await
            .expect("dispatch_jobs");
    }
    let race = Arc::new(Race {
        db,
        total: 50_000,
        committed: AtomicUsize::new(0),
        died: AtomicUsize::new(0),
    });
    let claimers: Vec<_> =
        (0..16).map(|number| tokio::spawn(claimer(Arc::clone(&race), number))).collect();
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    let all = async {
        for one in claimers {
            for job in one.await.expect("a claimer") {
                assert_eq!(job.attempts, 1, "a claim that was not committed counts nothing");
                *times.entry(job.id).or_default() += 1;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.expect("some jobs are never claimed");
    assert_eq!(times.len(), 50_000);
    assert!(times.values().all(|&n| n == 1), "a job was claimed twice");
    assert!(
        race.died.load(Ordering::SeqCst) >= 16,
        "too few claimers died for this to mean anything"
    );
    let row = owner
        .query_one(
            "select (select count(*) from fairclaim_internal.ready), (select count(*) from fairclaim_internal.running where attempt = 1),
                    (select count(distinct tenant_id) from fairclaim_internal.running)",
            &[],
        )
        .await
        .expect("counts");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (0_i64, 50_000_i64, 200_i64));
}
