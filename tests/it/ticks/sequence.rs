//! A copy of the database whose sequences were not copied: numbers of waiting jobs that begin again.

use super::number;
use crate::{
    calls::{claim_jobs, dispatch, dispatch_many, settle_all, tenant, tick},
    support::TestDb,
};

#[tokio::test]
async fn jobs_that_were_numbered_from_the_beginning_again_are_claimed() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 700).await;
    for n in 2..10 {
        dispatch(&producer, tenant(n), "mail").await;
    }
    while let jobs @ [_, ..] = claim_jobs(&worker, 1000, &mut None).await.as_slice() {
        settle_all(&worker, jobs, "complete").await;
    }
    for _ in 0..3 {
        tick(&worker).await;
    }
    let floors = "select count(*) from fairclaim_internal.lane where floor > 500";
    assert!(number(&owner, floors).await >= 2, "an own and a shared lane with a floor");
    let mark = number(&owner, "select max(mark) from fairclaim_internal.tick_state").await;

    owner
        .batch_execute("select setval('fairclaim_internal.ready_seq', 1), setval('fairclaim_internal.tick_n', 1)")
        .await
        .expect("setval");
    let mut open = db.producer().await;
    let open = open.transaction().await.expect("begin");
    dispatch(&open, tenant(1), "mail").await;
    for n in 1..6 {
        dispatch(&producer, tenant(n), "mail").await;
    }
    for _ in 0..2 {
        tick(&worker).await; // the first one sets the number of ticks
    }
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 5, "those that are committed");
    assert!(number(&owner, "select last_value from fairclaim_internal.ready_seq").await >= mark);
    open.commit().await.expect("commit");
    tick(&worker).await;
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 1, "the open one");
    let told = "select count(*) from fairclaim_internal.findings_of_ticks() f
                 where f.name = 'numbers' and f.level = 'warning' and f.seen like '%was behind%'";
    assert_eq!(number(&owner, told).await, 1);
}
