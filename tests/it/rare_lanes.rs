//! Lanes are rare: who has few jobs shares them whatever the types and priorities, and what nobody waits in costs claims little.

mod loads;

use std::collections::HashSet;

use serde_json::json;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    calls::{
        claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object, refused,
        settle_all, tenant, tick,
    },
    costs::least,
    support::{Client, TestDb},
};

/// The tenant that does more than others.
const BIG: u128 = 50;

async fn number(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}

async fn own_lanes(owner: &Client) -> i64 {
    number(owner, "select count(*) from fairclaim_internal.lane where tenant_id is not null").await
}

async fn shared_lanes(owner: &Client) -> i64 {
    number(owner, "select count(*) from fairclaim_internal.lane where tenant_id is null").await
}

#[tokio::test]
async fn tenants_with_few_jobs_have_no_lanes_whatever_their_types_and_priorities() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let job = |n: u128| json!({"tenant_id": tenant(n), "type": format!("type-{}", n % 5), "priority": n % 3});
    for n in 0..60 {
        dispatch_object(&producer, job(n)).await;
    }
    dispatch_batch(&producer, &(100..400).map(job).collect::<Vec<_>>()).await;
    assert_eq!((own_lanes(&owner).await, shared_lanes(&owner).await), (0, 15));
    let mut all = 0;
    loop {
        let got = claim_jobs(&worker, 100, &mut None).await;
        if got.is_empty() {
            break;
        }
        all += got.len();
        settle_all(&worker, &got, "complete").await;
    }
    assert_eq!(all, 360);
}

#[tokio::test]
async fn a_tenant_that_spreads_over_types_gains_no_place_before_others() {
    for one_by_one in [true, false] {
        let db = TestDb::new().await;
        let (producer, worker) = (db.producer().await, db.worker().await);
        for kind in 0..100 {
            let job = json!({"tenant_id": tenant(BIG), "type": format!("type-{kind}")});
            if one_by_one {
                for _ in 0..7 {
                    dispatch_object(&producer, job.clone()).await;
                }
            } else {
                dispatch_batch(&producer, &vec![job; 7]).await;
            }
        }
        let mut victims = HashSet::new();
        for n in 0..5 {
            victims.insert(dispatch(&producer, tenant(n), "victim").await);
        }
        let (mut cursor, mut place) = (None, 0);
        while !victims.is_empty() {
            for job in claim_jobs(&worker, 10, &mut cursor).await {
                place += 1;
                victims.remove(&job.id);
            }
            // eight rows of the other may stand before them, and own lanes get a quarter
            assert!(place <= 30, "{} of 5 are left after {place}", victims.len());
        }
    }
}

/// 700 jobs of one type each: 8 wait in shared lanes and the others in own ones.
#[tokio::test]
async fn a_claim_by_all_the_types_that_wait_costs_like_one_of_all_types() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for n in 0..30 {
        let batch: Vec<_> = (0..400)
            .map(|k| json!({"tenant_id": tenant(n), "type": format!("type-{}", k % 20)}))
            .collect();
        dispatch_batch(&producer, &batch).await;
    }
    assert_eq!(own_lanes(&owner).await, 600);
    let types: Vec<String> = (0..20).map(|kind| format!("'type-{kind}'")).collect();
    for limit in [1, 10, 100] {
        let claim = |types: &str| {
            format!(
                "select count(*) from fairclaim.claim_jobs('w', '{{default}}', {limit}, {types})"
            )
        };
        let all = least(&worker, &claim("null")).await.pages;
        let by_types = least(&worker, &claim(&format!("array[{}]", types.join(",")))).await.pages;
        assert!(by_types * 10 <= all * 13, "claims of {limit}: {by_types} pages, all types {all}");
    }
}

#[tokio::test]
async fn a_claim_of_few_types_finds_them_behind_many_others() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    // more lanes of other types than any window has, and one of the type that is asked for
    for n in 0..300 {
        dispatch_many(&producer, tenant(n), "default", "other", 9).await;
    }
    dispatch_many(&producer, tenant(BIG + 1_000), "default", "mail", 30).await;
    let sql = "select id from fairclaim.claim_jobs('w', '{default}', $1, array['mail', 'nothing'])";
    for limit in [1, 10] {
        let rows = worker.query(sql, &[&limit]).await.expect("claim_jobs");
        assert_eq!(rows.len(), usize::try_from(limit).expect("small"));
    }
    let one = "select id from fairclaim.claim_job('w', null, array['mail'])";
    assert_eq!(worker.query(one, &[]).await.expect("claim_job").len(), 1);
}

#[tokio::test]
async fn empty_queues_cost_a_claim_a_look_each() {
    // one job a tenant stands in a shared lane of its queue, nine in an own lane
    for each in [1, 9] {
        let db = TestDb::new().await;
        let (producer, worker) = (db.producer().await, db.worker().await);
        let batch: Vec<_> = (0..200 * each)
            .map(|n| json!({"tenant_id": tenant(n % 200), "type": "mail", "queue": format!("q-{}", n % 200)}))
            .collect();
        dispatch_batch(&producer, &batch).await;
        let own = own_lanes(&db.owner().await).await;
        assert_eq!(own, if each == 1 { 0 } else { 200 });
        let mut cursor = None;
        let mut visited = 0;
        while visited < batch.len() {
            let got = claim_jobs(&worker, 1_000, &mut cursor).await;
            assert!(!got.is_empty(), "all queues are visited: {visited}");
            visited += got.len();
            settle_all(&worker, &got, "complete").await;
        }
        let none = least(&worker, "select count(*) from fairclaim.claim_jobs('w', null, 10)").await;
        let most = if each == 1 { 5 } else { 12 };
        assert!(none.pages <= 200 * most + 100, "{each} a queue: {none:?}");
        // and one job in the last of them is found
        let last = json!({"tenant_id": tenant(1), "type": "mail", "queue": "q-99"});
        let id = dispatch_object(&producer, last).await;
        let got: Vec<Uuid> =
            claim_jobs(&worker, 10, &mut cursor).await.iter().map(|job| job.id).collect();
        assert_eq!(got, [id]);
    }
}

/// What a lane's floor skips is the rows of all lanes, so where they are many, a floor moves less often: each move leaves a dead row
/// for as long as somebody holds a snapshot.
#[tokio::test]
async fn the_floors_of_many_shared_lanes_move_seldom() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let owner = db.owner().await;
    let mut floors = Vec::new();
    for round in 0..2 {
        let batch: Vec<_> = (0..1_000)
            .map(|n| json!({"tenant_id": tenant(1_000 * round + n), "type": format!("t-{}", n % 60)}))
            .collect();
        dispatch_batch(&producer, &batch).await;
        let mut cursor = None;
        let got = claim_jobs(&worker, 1_000, &mut cursor).await;
        assert_eq!(got.len(), 1_000);
        settle_all(&worker, &got, "complete").await;
        for _ in 0..4 {
            tick(&worker).await;
        }
        let sql =
            "select count(*) from fairclaim_internal.lane where tenant_id is null and floor > 0";
        floors.push(number(&owner, sql).await);
    }
    assert_eq!(floors, [0, 60], "60 lanes: after 1,500 numbers");
}

#[tokio::test]
async fn a_tenant_with_too_many_own_lanes_is_refused_at_dispatch_and_nobody_else_is() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .batch_execute("update fairclaim_internal.setting set max_own_lanes = 5")
        .await
        .expect("a cap");
    let of = |n: u128, kind: i32| json!({"tenant_id": tenant(n), "type": format!("type-{kind}")});
    dispatch_batch(&producer, &(0..40).map(|k| of(1, k % 5)).collect::<Vec<_>>()).await;
    assert_eq!(own_lanes(&owner).await, 5);

    let one = "select fairclaim.dispatch_job($1, 'type-9')";
    let many = "select count(*) from fairclaim.dispatch_jobs($1)";
    dispatch_batch(&producer, &vec![of(1, 0); 8]).await; // in a lane that it has
    for _ in 0..8 {
        producer.execute(one, &[&tenant(1)]).await.expect("it is light in its shared lanes");
    }
    let before = number(&owner, "select count(*) from fairclaim_internal.job").await;
    let batch = json!([of(2, 0), of(1, 8), of(1, 9)]);
    let calls: [(&str, &(dyn ToSql + Sync)); 2] = [(one, &tenant(1)), (many, &batch)];
    for (sql, argument) in calls {
        let error = refused(producer.query(sql, &[argument]).await, "JQ003");
        assert!(error.message().starts_with("type: "), "{}", error.message());
        assert!(error.hint().is_some_and(|hint| hint.contains("max_own_lanes")));
    }
    assert_eq!(
        number(&owner, "select count(*) from fairclaim_internal.job").await,
        before,
        "nothing is written"
    );
    producer.execute(one, &[&tenant(2)]).await.expect("another tenant");

    // what comes back, or is due, is never refused
    let later = json!({"tenant_id": tenant(1), "type": "type-7", "run_at": "2999-01-01T00:00:00Z"});
    refused(producer.query(many, &[&json!([later])]).await, "JQ004");
    for kind in 10..14 {
        let sql = "select fairclaim.dispatch_job($1, $2, p_run_at => fairclaim.clock() + interval '10 s')";
        producer.execute(sql, &[&tenant(1), &format!("type-{kind}")]).await.expect("a delayed job");
    }
    db.advance("20 s").await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 4);
    assert!(own_lanes(&owner).await > 5);
}

#[tokio::test]
async fn a_queue_with_too_many_shared_lanes_gives_own_ones_and_serves_all() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .batch_execute("update fairclaim_internal.setting set max_shared_lanes = 3")
        .await
        .expect("a cap");
    for n in 0..10 {
        dispatch(&producer, tenant(n), &format!("type-{n}")).await;
    }
    assert_eq!((shared_lanes(&owner).await, own_lanes(&owner).await), (3, 7));
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 10);
}

/// A job whose workers died twice.
async fn suspect(db: &TestDb, producer: &Client, worker: &Client, job_type: &str) -> Uuid {
    let id = dispatch(producer, tenant(7), job_type).await;
    for _ in 0..2 {
        assert_eq!(claim_job(worker, "w").await.expect("a job").id, id);
        db.advance("40 s").await;
        tick(worker).await;
    }
    id
}

#[tokio::test]
async fn a_job_whose_workers_died_twice_goes_to_those_alone_who_ask_for_one() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let first = suspect(&db, &producer, &worker, "mail").await;
    let second = suspect(&db, &producer, &worker, "report").await;
    let good = dispatch(&producer, tenant(7), "mail").await;

    let got: Vec<Uuid> =
        claim_jobs(&worker, 100, &mut None).await.iter().map(|job| job.id).collect();
    assert_eq!(got, [good], "others' work goes on");
    assert!(claim_job(&worker, "w").await.is_none());
    let alone = |queues: &str, types: &str| {
        format!("select id from fairclaim.claim_jobs('w', {queues}, 1, {types}, p_alone => true)")
    };
    for (queues, types) in [("array['other']", "null"), ("null", "array['other']")] {
        assert!(worker.query(&alone(queues, types), &[]).await.expect("claim_jobs").is_empty());
    }
    for (queues, id) in [("null", first), ("array['default']", second)] {
        let rows = worker.query(&alone(queues, "null"), &[]).await.expect("claim_jobs");
        assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), [id]);
    }
    assert!(worker.query(&alone("null", "null"), &[]).await.expect("claim_jobs").is_empty());
}
