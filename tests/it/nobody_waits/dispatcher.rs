//! A dispatcher that stays open for a minute, which is a dozen ticks.

use super::others::{OWN, Others, SHARED, single};
use crate::{calls::tenant, support::TestDb};

/// The slow transaction puts jobs into one lane, which it opens itself or which stands already. Others use the same key
/// for a minute; ticks close the lanes that run empty, and move the floors of shared lanes beyond what the slow one wrote.
async fn open_for_a_minute(priority: i32, stands: bool) {
    let db = TestDb::with_test_clock().await;
    let (mut slow, owner) = (db.producer().await, db.owner().await);
    let job_type = if stands { "mail" } else { "report" };
    let mut others = Others::start(&db, job_type).await;
    let tenant = tenant(if priority == OWN { 1 } else { 2 });
    let open = slow.transaction().await.expect("begin");
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push(single(&open, tenant, job_type, priority).await);
    }
    for round in 0..13 {
        others.round("6 s").await;
        if round == 7 {
            late.push(single(&open, tenant, job_type, priority).await);
        }
    }
    assert!(others.closed > 0, "no lane was closed beside the open transaction");

    open.commit().await.expect("commit");
    // where its jobs stand now: all in a lane that exists
    let sql = "select count(*), count(*) filter (where l.drained is not null), count(*) filter (where y.seq < l.floor)
                 from fairclaim_internal.ready y join fairclaim_internal.lane l using (lane_id) where y.id = any ($1)";
    let row = owner.query_one(sql, &[&late]).await.expect("ready");
    let [all, in_closed, below_floor] = [0, 1, 2].map(|n| row.get::<_, i64>(n));
    assert_eq!(all, 4);
    if stands {
        let expected = if priority == OWN { (4, 0) } else { (0, 4) };
        assert_eq!((in_closed, below_floor), expected, "this was meant to be the hard case");
    }
    others.tick().await;
    others.serve(late).await;
    others.finish(4, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_opens_an_own_lane_and_stays_open_delays_nobody() {
    open_for_a_minute(OWN, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_uses_an_own_lane_and_stays_open_delays_nobody() {
    open_for_a_minute(OWN, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_opens_a_shared_lane_and_stays_open_delays_nobody() {
    open_for_a_minute(SHARED, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_uses_a_shared_lane_and_stays_open_delays_nobody() {
    open_for_a_minute(SHARED, true).await;
}
