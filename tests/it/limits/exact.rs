//! Limits are never exceeded by one, whoever claims, dies, goes on after its death, or changes them meanwhile.

mod load;
mod replay;

use uuid::Uuid;

use self::{load::Load, replay::Books};
use super::{Asking, Scene};
use crate::{
    calls::{
        Bound::{Default, Tenant},
        Claimed, dispatch_many, settle, tenant,
    },
    support::TestDb,
};

const EVERYDAY: Load = Load { jobs: 5_000, claimers: 16, changes: true };

async fn run(load: Load, mistake: Option<[&str; 3]>) -> Books {
    let db = TestDb::with_test_clock().await;
    if let Some([function, text, instead]) = mistake {
        let owner = db.owner().await;
        let sql = "select pg_get_functiondef(p.oid) from pg_proc p where p.proname = $1";
        let definition: String = owner.query_one(sql, &[&function]).await.expect(function).get(0);
        assert!(definition.contains(text), "{function} has no {text:?}");
        owner.batch_execute(&definition.replace(text, instead)).await.expect("a mistake");
    }
    load.run(&db).await
}

/// So many jobs go through, and no limit is exceeded.
pub(crate) async fn limits_hold_for(jobs: usize) {
    let books = run(Load { jobs, ..EVERYDAY }, None).await;
    println!("{}", books.told());
    assert_eq!(books.exceeded(), Vec::<String>::new());
    assert!(books.is_worth_something(), "{}", books.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_exceeded_at_any_moment() {
    limits_hold_for(EVERYDAY.jobs).await;
}

/// The books have teeth: whoever counts without a lock oversteps, for a tenant as for a queue.
#[tokio::test(flavor = "multi_thread")]
async fn claims_that_count_without_a_lock_exceed_limits() {
    let load = Load { jobs: 2_000, ..EVERYDAY };
    let slot = "= wanted.slot for update skip locked";
    let books = run(load, Some(["room_under_limits", slot, "= wanted.slot"])).await;
    assert!(books.exceeded().iter().any(|what| what.contains("tenant")), "{}", books.told());
    assert!(books.sampled_beyond() > 0, "{}", books.told());
    let queue = "(v_group & 63) for update skip locked";
    let books = run(load, Some(["room_in_queue", queue, "(v_group & 63)"])).await;
    assert!(books.exceeded().iter().any(|what| what.contains("queue")), "{}", books.told());
}

/// A worker that was declared dead gives back no room that is not its own any more.
#[tokio::test]
async fn who_goes_on_after_its_death_frees_nothing_and_is_not_counted_twice() {
    for bound in [Default, Tenant(tenant(1))] {
        let scene = Scene::new().await;
        scene.limits(&[(bound, 2)]).await;
        dispatch_many(&scene.producer, tenant(1), "default", "mail", 12).await;
        let mut ended = 0;
        while ended < 6 {
            let dead = scene.claim(&Asking::of(10)).await;
            assert_eq!(dead.len(), 2, "{bound:?} after {ended}");
            let past = "update fairclaim_internal.running set lease_expires_at = fairclaim.clock() - interval '1 s'";
            scene.owner.execute(past, &[]).await.expect("leases that ended");
            scene.db.advance("6 s").await;
            scene.ticks(3).await;
            let living = scene.claim(&Asking::of(10)).await;
            assert_eq!(living.len(), 2, "{bound:?} after {ended}");
            for job in &dead {
                assert!(!settle(&scene.worker, job, "complete").await.accepted);
            }
            assert!(scene.claim(&Asking::of(10)).await.is_empty(), "no room was given back");
            assert_eq!(scene.count("select count(*) from fairclaim_internal.running").await, 2);
            let ids = |jobs: &[Claimed]| jobs.iter().map(|job| job.id).collect::<Vec<Uuid>>();
            for job in &living {
                assert!(settle(&scene.worker, job, "complete").await.accepted);
                // and once more, as one who got no answer
                settle(&scene.worker, job, "complete").await;
            }
            ended += ids(&living).len();
        }
    }
}
