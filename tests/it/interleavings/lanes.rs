//! Dispatch against those who open, close and delete lanes, and move their floors.

use serde_json::json;

use super::stage::{OWN, Stage, all_orders, dispatch_of, part};
use crate::calls::{claim_jobs, dispatch, dispatch_batch, settle_all, tenant};

const SHARED: i32 = 0;
const TICK: &str = "select busy from fairclaim.tick()";
/// With its snapshot taken at once.
const REPEATABLE: &str = "begin isolation level repeatable read; select 1";

/// A lane stands there, empty.
async fn an_empty_lane(stage: &Stage, priority: i32) {
    let job = json!({"tenant_id": tenant(1), "type": "mail", "priority": priority});
    dispatch_batch(&*stage.producers[0], &[job]).await;
    let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
    settle_all(&stage.worker, &jobs, "complete").await;
}

/// All orders of two dispatching transactions; whatever lanes they make, everything is claimed.
async fn two_first_dispatches(priority: i32, begin: &str, tenants: [u128; 2]) {
    let stage = Stage::set().await;
    let [one, two] = tenants.map(|n| dispatch_of(tenant(n), "mail", priority));
    let parts = || {
        [
            part(&stage.producers[0], &[begin, &one, &one, "commit"]),
            part(&stage.producers[1], &[begin, &two, "commit"]),
        ]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        let lanes = stage.number("select count(*) from fairclaim_internal.lane").await;
        let expected = if begin == REPEATABLE { 0..=0 } else { 1..=2 };
        assert!(expected.contains(&lanes), "{order:?}: {lanes} lanes");
        assert_eq!(stage.audit().await.len(), 3, "{order:?}");
        stage.ticks(6).await;
        let left = stage
            .number("select count(*) from fairclaim_internal.lane where drained is null")
            .await;
        assert_eq!(
            left,
            i64::from(priority == SHARED && begin == "begin"),
            "{order:?}: lanes are left"
        );
    }
}

#[tokio::test]
async fn two_first_dispatches_of_a_shared_lane_meet_in_every_order() {
    two_first_dispatches(SHARED, "begin", [1, 2]).await;
}

#[tokio::test]
async fn two_first_dispatches_of_an_own_lane_meet_in_every_order() {
    two_first_dispatches(OWN, "begin", [1, 1]).await;
}

#[tokio::test]
async fn two_first_dispatches_of_repeatable_read_meet_in_every_order() {
    two_first_dispatches(OWN, REPEATABLE, [1, 1]).await;
}

/// A lane that ran empty is closed by one tick and deleted by a later one; the dispatch may come before, between or after. Gives
/// how often the lane went meanwhile, and how many rows stood without a lane.
async fn a_lane_goes(stage: &Stage, priority: i32, begin: &str) -> (usize, i64) {
    let job = dispatch_of(tenant(1), "mail", priority);
    let parts = || {
        [
            part(&stage.producers[0], &[begin, &job, "commit"]),
            part(&stage.workers[0], &[TICK, TICK, TICK, TICK]),
        ]
    };
    let (mut went, mut stray) = (0, 0);
    for order in all_orders(&parts()) {
        stage.clear().await;
        an_empty_lane(stage, priority).await;
        stage.db.advance("2 hours").await;
        let lane = stage.number("select lane_id from fairclaim_internal.lane").await;
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        let there = format!("select count(*) from fairclaim_internal.lane where lane_id = {lane}");
        went += usize::from(stage.number(&there).await == 0);
        let without = "select count(*) from fairclaim_internal.ready y
                        where not exists (select from fairclaim_internal.lane l where l.lane_id = y.lane_id)";
        stray += stage.number(without).await;
        if stray > 0 {
            break; // one is enough
        }
        assert_eq!(stage.audit().await.len(), 1, "{order:?}");
    }
    (went, stray)
}

/// It goes in some orders, and no row is ever without one.
async fn a_lane_goes_and_takes_nothing_along(priority: i32, begin: &str) {
    let stage = Stage::set().await;
    let (went, stray) = a_lane_goes(&stage, priority, begin).await;
    assert!(went > 0, "no order in which the lane went");
    assert_eq!(stray, 0, "rows without a lane");
}

#[tokio::test]
async fn an_own_lane_that_goes_meets_a_dispatch_in_every_order() {
    a_lane_goes_and_takes_nothing_along(OWN, "begin").await;
}

#[tokio::test]
async fn a_shared_lane_that_goes_meets_a_dispatch_in_every_order() {
    a_lane_goes_and_takes_nothing_along(SHARED, "begin").await;
}

#[tokio::test]
async fn a_lane_that_goes_meets_a_repeatable_read_producer_in_every_order() {
    a_lane_goes_and_takes_nothing_along(OWN, REPEATABLE).await;
}

/// The control: a producer of that isolation level that chose a lane would put its job into one that is gone.
#[tokio::test]
async fn the_orders_tell_a_repeatable_read_producer_that_chooses_a_lane() {
    let stage = Stage::set().await;
    stage
        .replace(
            "dispatch_job",
            "current_setting('transaction_isolation') <> 'read committed'",
            "false",
        )
        .await;
    let (_, stray) = a_lane_goes(&stage, OWN, REPEATABLE).await;
    assert!(stray > 0, "nobody noticed");
}

/// The floor of an own lane moves up to what an open producer may still commit, and no further.
async fn a_floor_meets_an_open_producer(begin: &str) {
    let stage = Stage::set().await;
    let job = dispatch_of(tenant(1), "mail", OWN);
    // a tick that is told to look at every lane
    let hint = "with h as (insert into fairclaim_internal.floor_hint (lane_id) select lane_id from fairclaim_internal.lane returning 1)
                select count(*) from h";
    // with a later number than that of the open job: a floor that moves too far moves past it
    let serve = format!("{job}; select count(*) from fairclaim.claim_jobs('w', null, 10)");
    let parts = || {
        [
            part(&stage.producers[0], &[begin, &job, "commit"]),
            part(&stage.admin, &[&serve, hint, TICK, TICK]),
        ]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        an_empty_lane(&stage, OWN).await;
        dispatch_batch(
            &*stage.producers[1],
            &[json!({"tenant_id": tenant(1), "type": "mail", "priority": OWN})],
        )
        .await;
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        let (_, got) = outcome.of(1, 0).split_once(';').expect("a job and a count");
        let got: usize = got.parse().expect("a count");
        assert_eq!(got + stage.audit().await.len(), 3, "{order:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_floor_meets_an_open_producer_in_every_order() {
    a_floor_meets_an_open_producer("begin").await;
}

#[tokio::test]
async fn a_floor_meets_an_open_repeatable_read_producer_in_every_order() {
    a_floor_meets_an_open_producer(REPEATABLE).await;
}

/// Its first jobs wait in the shared lane, the rest in its own; when all is served it is light again.
#[tokio::test]
async fn a_light_tenant_becomes_backlogged_and_light_again_beside_an_open_producer() {
    let stage = Stage::set().await;
    let own = "select count(*) from fairclaim_internal.lane where tenant_id is not null and drained is null";
    let first = dispatch_of(tenant(1), "mail", SHARED);
    let parts = || {
        let flood = format!(
            "select count(*) from generate_series(1, 10) g, lateral (select fairclaim.dispatch_job('{}', 'mail', jsonb_build_object('n', g))) d",
            tenant(1)
        );
        [
            part(&stage.producers[0], &["begin", &first, "commit"]),
            part(&stage.producers[1], &["begin", &flood, "commit"]),
        ]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        assert!(stage.number(own).await >= 1, "{order:?}: no lane of its own for 11 jobs");
        assert_eq!(stage.audit().await.len(), 11, "{order:?}");
        stage.ticks(4).await;
        assert_eq!(stage.number(own).await, 0, "{order:?}: it is not light again");
        dispatch(&*stage.producers[0], tenant(1), "mail").await;
        assert_eq!(stage.number(own).await, 0, "{order:?}: a lane for a light tenant");
        assert_eq!(stage.audit().await.len(), 1, "{order:?}");
    }
}

/// Ten thousand jobs of one transaction, while ticks move what they can and others are served.
#[tokio::test]
async fn a_batch_of_ten_thousand_meets_ticks_and_claims() {
    let stage = Stage::set().await;
    let batch = format!(
        "select count(*) from fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object(
           'tenant_id', fairclaim.tenant_uuid((g % 900)::text), 'type', 'mail', 'priority', case g % 3 when 0 then {OWN} else 0 end))
           from generate_series(1, 10000) g))"
    );
    let light = dispatch_of(tenant(9), "mail", SHARED);
    let serve = "select count(*) from fairclaim.claim_jobs('w', null, 100)";
    // the batch is open for the whole of it; then the others come between its statements; then it comes first
    for order in [
        [0, 0, 1, 2, 2, 1, 2, 2, 2, 0],
        [1, 0, 2, 0, 1, 2, 2, 0, 2, 2],
        [0, 0, 0, 1, 1, 2, 2, 2, 2, 2],
    ] {
        stage.clear().await;
        let parts = [
            part(&stage.producers[0], &["begin", &batch, "commit"]),
            part(&stage.producers[1], &[&light, &light]),
            part(&stage.workers[0], &[serve, TICK, TICK, TICK, serve]),
        ];
        let outcome = stage.play(&parts, &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        let got: usize =
            [0, 4].map(|n| outcome.of(2, n).parse::<usize>().expect("a count")).iter().sum();
        assert_eq!(got + stage.audit().await.len(), 10_002, "{order:?}");
    }
}
