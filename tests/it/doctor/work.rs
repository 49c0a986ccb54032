//! Queues, limits, and types that nobody claims.

use fairclaim::Level;

use super::{assert_found, examine, find, ticked};
use crate::{
    calls::{claim_job, dispatch, tenant, tick},
    support::TestDb,
};

#[tokio::test(flavor = "multi_thread")]
async fn paused_queues_are_told() {
    let db = TestDb::with_test_clock().await;
    let owner = db.owner().await;
    owner
        .batch_execute("insert into fairclaim_internal.queue (name, paused_at) values ('mail', fairclaim.clock()), ('other', null)")
        .await
        .expect("pause");
    db.advance("3 hours").await;
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "paused_queues", Level::Note, &["mail (for 3 h)"]);
    assert!(!find(&diagnosis, "paused_queues").expect("it").seen.contains("other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_nobody_claims_is_told_unless_its_queue_is_paused() {
    let db = TestDb::with_test_clock().await;
    let (producer, owner, worker) = (db.producer().await, db.owner().await, db.worker().await);
    dispatch(&producer, tenant(1), "orphan").await;
    // one tenant backlogged, so that it has own lanes too
    for _ in 0..20 {
        dispatch(&producer, tenant(2), "busy").await;
    }
    assert_eq!(find(&examine(&db, "test_operator").await, "unclaimed_types"), None);

    db.advance("5 hours").await;
    tick(&worker).await;
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(
        &diagnosis,
        "unclaimed_types",
        Level::Warning,
        &["orphan in default (for 5 h)", "busy in default"],
    );
    assert_found(&diagnosis, "backlog", Level::Note, &["5 h"]);

    // one of them runs: the rest of its type wait their turn
    let types: &[&str] = &["busy"];
    worker
        .query("select * from fairclaim.claim_jobs('w', null, 1, $1)", &[&types])
        .await
        .expect("claim_jobs");
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "unclaimed_types", Level::Warning, &["orphan"]);
    assert!(!find(&diagnosis, "unclaimed_types").expect("it").seen.contains("busy"));

    owner
        .batch_execute(
            "insert into fairclaim_internal.queue (name, paused_at) values ('default', fairclaim.clock())",
        )
        .await
        .expect("pause");
    assert_eq!(find(&examine(&db, "test_operator").await, "unclaimed_types"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_counted_and_one_that_does_not_take_effect_is_told() {
    let (db, owner) = ticked().await;
    assert_found(&examine(&db, "test_operator").await, "limits", Level::Ok, &["0 tenants"]);
    let limit = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', $2)";
    owner.execute(limit, &[&tenant(1), &0]).await.expect("a paused tenant");
    owner.execute(limit, &[&tenant(2), &1]).await.expect("a limit");
    assert_found(
        &examine(&db, "test_operator").await,
        "limits",
        Level::Note,
        &["2 tenants", "1 of 0", "2 not in effect yet"],
    );
    let worker = db.worker().await;
    for _ in 0..4 {
        tick(&worker).await;
    }
    dispatch(&db.producer().await, tenant(2), "mail").await;
    claim_job(&worker, "w").await.expect("a job");
    db.owner()
        .await
        .batch_execute("select setval('fairclaim_internal.round_at', 0)")
        .await
        .expect("a tick looks");
    tick(&worker).await;
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(
        &diagnosis,
        "limits",
        Level::Note,
        &["1 tenant at a limit", "0 not in effect yet"],
    );
    let text = format!("{diagnosis:?}");
    assert!(
        !text.contains(&tenant(1).to_string()) && !text.contains(&tenant(2).to_string()),
        "no tenant is named"
    );

    owner
        .batch_execute("update fairclaim_internal.running_limit set active = false, seen_at = fairclaim.clock() - interval '2 min'")
        .await
        .expect("a limit that does not take effect");
    assert_found(
        &examine(&db, "test_operator").await,
        "limits",
        Level::Warning,
        &["2 not in effect yet"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_end_far_ahead_are_told_with_the_verb_that_ends_them() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let claim = async |lease: &str| {
        dispatch(&producer, tenant(1), "mail").await;
        let sql = "select * from fairclaim.claim_jobs($1, null, 1, p_lease => extract(epoch from $2::text::interval)::float8)";
        worker.query_one(sql, &[&format!("worker-{lease}"), &lease]).await.expect("claim_jobs");
    };
    claim("30 s").await;
    claim("59 min").await;
    assert_eq!(find(&examine(&db, "test_operator").await, "long_leases"), None);
    claim("20 h").await;
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "long_leases", Level::Note, &["worker-20 h (1, for 20 h)"]);
    let found = find(&diagnosis, "long_leases").expect("it");
    assert!(!found.seen.contains("59 min") && !found.seen.contains("30 s"), "{found:?}");
    let advice = found.advice.as_deref().expect("advice");
    assert!(advice.contains("fairclaim jobs release --worker"), "{advice}");

    // the clock was ahead, and was put right
    db.advance("-10 hours").await;
    let told = ["worker-20 h (1, for 30 h)", "clock was ahead"];
    assert_found(&examine(&db, "test_operator").await, "long_leases", Level::Warning, &told);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_workers_died_twice_and_that_nobody_asks_for_are_told() {
    let db = TestDb::with_test_clock().await;
    let (producer, owner, worker) = (db.producer().await, db.owner().await, db.worker().await);
    let id = dispatch(&producer, tenant(1), "poison").await;
    for _ in 0..2 {
        assert_eq!(claim_job(&worker, "w").await.expect("the job").id, id);
        db.advance("40 s").await;
        tick(&worker).await;
    }
    assert!(claim_job(&worker, "w").await.is_none(), "it runs alone from now on");
    let told = async || examine(&db, "test_operator").await;
    assert_eq!(find(&told().await, "suspects"), None, "not yet");

    db.advance("3 hours").await;
    tick(&worker).await;
    let first = format!("1 of poison in default (for 3 h, first {id})");
    let diagnosis = told().await;
    assert_found(&diagnosis, "suspects", Level::Warning, &[&first]);
    assert_eq!(find(&diagnosis, "unclaimed_types"), None, "a worker of the type is not enough");
    let advice = find(&diagnosis, "suspects").expect("it").advice.clone().expect("advice");
    assert!(advice.contains("p_alone") && advice.contains("jobs cancel"), "{advice}");

    let pause = "insert into fairclaim_internal.queue (name, paused_at) values ('default', fairclaim.clock())";
    owner.batch_execute(pause).await.expect("pause");
    assert_eq!(find(&told().await, "suspects"), None, "its queue is paused");
    owner.batch_execute("delete from fairclaim_internal.queue").await.expect("resume");
    let limit = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 0)";
    owner.execute(limit, &[&tenant(1)]).await.expect("a limit");
    assert_eq!(find(&told().await, "suspects"), None, "its tenant is paused");
    owner.batch_execute("delete from fairclaim_internal.running_limit").await.expect("no limit");
    assert_found(&told().await, "suspects", Level::Warning, &[&first]);

    let alone = "select id from fairclaim.claim_jobs('w', null, 1, p_alone => true)";
    assert_eq!(worker.query(alone, &[]).await.expect("claim_jobs").len(), 1);
    assert_eq!(find(&told().await, "suspects"), None, "it runs");
}
