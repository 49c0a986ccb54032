//! A tenant that is paused has no room, whatever its limit; resuming gives its limit back.

use super::{running_limits, set};
use crate::{
    calls::{claim_jobs, dispatch, dispatch_many, settle_all, tenant, tick},
    support::{Client, TestDb},
};

async fn limits_of_all(owner: &Client) -> Vec<(String, i32)> {
    running_limits(owner).await.into_iter().map(|(_, _, queue, limit)| (queue, limit)).collect()
}

#[tokio::test]
async fn a_pause_is_the_limit_0_and_a_resume_gives_the_limit_back() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let one = format!("'{}'", tenant(1));
    let row = set(&operator, &format!("fairclaim.pause_tenant({one}, 'unpaid')")).await;
    assert!(!row.get::<_, bool>("was_paused") && !row.get::<_, bool>("known"));
    assert_eq!(limits_of_all(&owner).await, [(String::new(), 0)]);
    set(&operator, &format!("fairclaim.resume_tenant({one})")).await;
    assert_eq!(limits_of_all(&owner).await, []);

    set(&operator, &format!("fairclaim.set_limit({one}, 8)")).await;
    set(&operator, &format!("fairclaim.set_limit({one}, 2, 'mail')")).await;
    set(&operator, &format!("fairclaim.pause_tenant({one})")).await;
    let mail = ("mail".to_owned(), 2);
    assert_eq!(limits_of_all(&owner).await, [(String::new(), 0), mail.clone()]);
    set(&operator, &format!("fairclaim.set_limit({one}, 9)")).await;
    assert_eq!(limits_of_all(&owner).await, [(String::new(), 0), mail.clone()], "still paused");
    let row = set(&operator, &format!("fairclaim.resume_tenant({one})")).await;
    assert!(row.get::<_, bool>("was_paused"));
    assert_eq!(limits_of_all(&owner).await, [(String::new(), 9), mail]);
    let row = set(&operator, &format!("fairclaim.resume_tenant({one})")).await;
    assert!(!row.get::<_, bool>("was_paused"));
}

#[tokio::test]
async fn a_second_pause_keeps_the_time_of_the_first() {
    let db = TestDb::with_test_clock().await;
    let operator = db.operator().await;
    let paused_at = async |why: &str| {
        let row =
            set(&operator, &format!("fairclaim.pause_tenant('{}', '{why}')", tenant(1))).await;
        (row.get::<_, std::time::SystemTime>("paused_at"), row.get::<_, bool>("was_paused"))
    };
    let (first, before) = paused_at("unpaid").await;
    db.advance("1 hour").await;
    assert_eq!((paused_at("still unpaid").await, before), ((first, true), false));
    let shown = set(&operator, &format!("fairclaim.show_limits('{}')", tenant(1))).await;
    assert_eq!(
        (shown.get::<_, &str>("kind"), shown.get::<_, &str>("why")),
        ("paused", "still unpaid")
    );
    assert_eq!(shown.get::<_, std::time::SystemTime>("set_at"), first);
}

#[tokio::test]
async fn what_gives_room_is_noted_for_the_workers_and_nothing_else_is() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let noted = "with gone as (delete from fairclaim_internal.limit_note returning 1) select count(*) from gone";
    let one = format!("'{}'", tenant(1));
    for (call, notes) in [
        (format!("fairclaim.set_limit({one}, 5)"), 0),
        (format!("fairclaim.set_limit({one}, 4)"), 0),
        (format!("fairclaim.set_limit({one}, 6)"), 1),
        (format!("fairclaim.set_weight({one}, 6)"), 0),
        (format!("fairclaim.pause_tenant({one})"), 0),
        (format!("fairclaim.set_limit({one}, 9)"), 0),
        (format!("fairclaim.resume_tenant({one})"), 1),
        (format!("fairclaim.resume_tenant({one})"), 0),
        (format!("fairclaim.set_limit({one}, null)"), 1),
        ("fairclaim.set_default_limit(1)".to_owned(), 0),
        ("fairclaim.set_default_limit(null)".to_owned(), 1),
    ] {
        set(&operator, &call).await;
        let found: i64 = owner.query_one(noted, &[]).await.expect(noted).get(0);
        assert_eq!(found, notes, "{call}");
    }
}

#[tokio::test]
async fn a_paused_tenants_jobs_are_not_claimed_from_then_on_and_the_running_ones_go_on() {
    let db = TestDb::new().await;
    let (producer, operator, worker) =
        (db.producer().await, db.operator().await, db.worker().await);
    for n in [1, 2] {
        dispatch_many(&producer, tenant(n), "default", "mail", 20).await;
        dispatch(&producer, tenant(n), "bill").await;
    }
    let running = claim_jobs(&worker, 10, &mut None).await;
    let one = format!("'{}'", tenant(1));
    set(&operator, &format!("fairclaim.pause_tenant({one})")).await;
    let mut left = 42 - 10;
    for ticks in 0..2 {
        for limit in [1, 5] {
            let jobs = claim_jobs(&worker, limit, &mut None).await;
            assert_eq!(jobs.len(), usize::try_from(limit).expect("a size"), "after {ticks} ticks");
            assert!(jobs.iter().all(|job| job.tenant == tenant(2)), "after {ticks} ticks");
            settle_all(&worker, &jobs, "complete").await;
            left -= jobs.len();
        }
        tick(&worker).await;
    }
    settle_all(&worker, &running, "complete").await;
    set(&operator, &format!("fairclaim.resume_tenant({one})")).await;
    for _ in 0..3 {
        tick(&worker).await;
    }
    let mut rest = 0;
    loop {
        let jobs = claim_jobs(&worker, 10, &mut None).await;
        if jobs.is_empty() {
            break;
        }
        settle_all(&worker, &jobs, "complete").await;
        rest += jobs.len();
    }
    assert_eq!(rest, left, "nothing is lost");
}
