//! A producer looks at what became of its jobs.

use std::time::SystemTime;

use fairclaim::{Status, Tenant};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    calls::{claim_job, dispatch, dispatch_many, refused, settle, settle_after, tenant},
    costs::least,
    support::{Client, TestDb},
    worker::stage::{Stage, acme, job},
};

const GET: &str = "select * from fairclaim.get_jobs($1, $2)";

/// Of each job found: status, attempts, result, error code, whether it has ended.
async fn get(producer: &Client, n: u128, ids: &[Uuid]) -> Vec<(Uuid, String, i32, Value)> {
    let rows = producer.query(GET, &[&tenant(n), &ids]).await.expect("get_jobs");
    rows.iter()
        .map(|row| {
            let (result, code): (Option<Value>, Option<String>) =
                (row.get("result"), row.get("error_code"));
            let ended = row.get::<_, Option<SystemTime>>("ended_at").is_some();
            (row.get("id"), row.get("status"), row.get("attempts"), json!([result, code, ended]))
        })
        .collect()
}

#[tokio::test]
async fn a_producer_sees_where_each_of_its_jobs_is_and_what_came_of_it() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let mut ids = Vec::new();
    for outcome in ["complete", "fail", "cancel", "retry", "running"] {
        let id = dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, "w").await.expect("the job");
        assert_eq!(job.id, id);
        match outcome {
            "complete" => {
                let sql =
                    "update fairclaim_internal.finished set result = '{\"n\": 1}' where id = $1";
                settle(&worker, &job, outcome).await;
                db.owner().await.execute(sql, &[&id]).await.expect(sql);
            }
            "retry" => drop(settle_after(&worker, &job, outcome, Some(60.0)).await),
            "running" => {}
            _ => drop(settle(&worker, &job, outcome).await),
        }
        ids.push(id);
    }
    ids.push(dispatch(&producer, tenant(1), "mail").await); // it waits
    for _ in 0..12 {
        dispatch(&producer, tenant(2), "mail").await;
    }
    let waiting = dispatch(&producer, tenant(2), "mail").await; // in a lane of its own
    let found = get(&producer, 1, &ids).await;
    let expected = [
        ("completed", 1, json!([{"n": 1}, null, true])),
        ("failed", 1, json!([null, "boom", true])),
        ("cancelled", 1, json!([null, "boom", true])),
        ("scheduled", 1, json!([null, null, false])),
        ("processing", 1, json!([null, null, false])),
        ("pending", 0, json!([null, null, false])),
    ];
    assert_eq!(found.len(), 6);
    for ((found, id), (status, attempts, facts)) in found.into_iter().zip(&ids).zip(expected) {
        assert_eq!(found, (*id, status.to_owned(), attempts, facts));
    }
    assert_eq!(get(&producer, 2, &[waiting]).await[0].1, "pending");
}

#[tokio::test]
async fn ids_of_others_and_of_nobody_answer_alike_and_those_found_keep_their_order() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let mine =
        [dispatch(&producer, tenant(1), "a").await, dispatch(&producer, tenant(1), "b").await];
    let theirs = dispatch(&producer, tenant(2), "mail").await;
    let ids = [mine[1], theirs, Uuid::now_v7(), mine[0], Uuid::nil(), mine[1]];
    let found: Vec<Uuid> = get(&producer, 1, &ids).await.into_iter().map(|job| job.0).collect();
    assert_eq!(found, [mine[1], mine[0], mine[1]]);
    assert!(get(&producer, 1, &[]).await.is_empty());
}

#[tokio::test]
async fn bad_lists_of_ids_and_other_logins_are_refused() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for (arguments, code, says) in [
        ("null, '{}'", "JQ002", "p_tenant_id: is missing"),
        ("gen_random_uuid(), null", "JQ004", "p_ids: must be a list of at most 10,000 ids"),
        ("gen_random_uuid(), array[gen_random_uuid(), null]", "JQ004", "p_ids: "),
        ("gen_random_uuid(), array[array[gen_random_uuid()]]", "JQ004", "p_ids: "),
        ("gen_random_uuid(), array_fill(gen_random_uuid(), array[10001])", "JQ004", "p_ids: "),
    ] {
        let sql = format!("select * from fairclaim.get_jobs({arguments})");
        let error = refused(producer.query(&sql, &[]).await, code);
        assert!(error.message().starts_with(says), "{arguments}: {}", error.message());
    }
    let most = "select * from fairclaim.get_jobs(gen_random_uuid(), array_fill(gen_random_uuid(), array[10000]))";
    assert!(producer.query(most, &[]).await.expect(most).is_empty());
    for session in [db.worker().await, db.tenant().await, db.plain_operator().await] {
        refused(session.query(GET, &[&tenant(1), &Vec::<Uuid>::new()]).await, "42501");
    }
}

/// By index only: the pages that a call reads do not depend on how much has ended, how much waits, or what the statistics say.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_reads_some_pages_an_id_and_no_table_whole() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    for n in 1..=3 {
        dispatch_many(&producer, tenant(n), "default", "mail", 20_000).await;
    }
    let end = "insert into fairclaim_internal.finished (id, tenant_id, completed_at, attempts, status)
               select id, tenant_id, fairclaim.clock(), 1, 'completed' from fairclaim_internal.job order by random() limit 50000";
    owner.batch_execute(end).await.expect(end);
    let end = "delete from fairclaim_internal.ready r using fairclaim_internal.finished f where f.id = r.id";
    owner.batch_execute(end).await.expect(end);
    for analyzed in [false, true] {
        if analyzed {
            let all = "analyze fairclaim_internal.job, fairclaim_internal.finished, fairclaim_internal.ready, fairclaim_internal.running, fairclaim_internal.scheduled";
            owner.batch_execute(all).await.expect(all);
        }
        for ids in [1_i64, 4_000] {
            let chosen = "select array_agg(id)::text from (
                            select id from fairclaim_internal.job where tenant_id = $1 order by id desc limit $2) z";
            let chosen: String =
                owner.query_one(chosen, &[&tenant(2), &ids]).await.expect(chosen).get(0);
            let sql = format!("select * from fairclaim.get_jobs('{}', '{chosen}')", tenant(2));
            let found = producer.query(&sql, &[]).await.expect("get_jobs").len();
            assert_eq!(i64::try_from(found), Ok(ids));
            let pages = least(&producer, &sql).await.pages;
            let most = 60 + 16 * ids;
            assert!(pages <= most, "{pages} pages for {ids} ids, analyzed: {analyzed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_looks_at_more_ids_than_one_call_takes() {
    let stage = Stage::new().await;
    let id = stage.send(job("mail", json!({}))).await;
    let mut ids = vec![Uuid::nil(); 20_001];
    ids[20_000] = id;
    let found = stage.producer.get_jobs(acme(), &ids).await.expect("get_jobs");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].status, found[0].attempts), (id, Status::Pending, 0));
    let text = serde_json::to_value(&found[0]).expect("JSON");
    let expected = json!({"id": id, "status": "pending", "attempts": 0, "result": null, "error_code": null, "ended_at": null});
    assert_eq!(text, expected);
    let bolt = Tenant::named("bolt").expect("a name");
    assert_eq!(stage.producer.get_jobs(&bolt, &ids).await.expect("get_jobs"), []);
    let refused = stage.operator.get_jobs(acme(), &[id]).await.expect_err("no producer");
    assert_eq!(refused.code(), Some("JQ007"));
}
