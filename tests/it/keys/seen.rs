//! What others see of jobs that wait for their key, and what is refused.

use serde_json::json;
use uuid::Uuid;

use crate::calls::{refused, settle, tenant};

use super::Stage;

#[tokio::test]
async fn a_job_that_waits_for_its_key_is_pending_to_everybody() {
    let stage = Stage::new().await;
    let (_first, second) = (stage.job("a").await, stage.job("a").await);
    stage.one().await;
    let (producer, operator) = (&stage.producer, &stage.operator);
    let (id, of) = (second, tenant(1));
    let sql = "select status, attempts from fairclaim.get_jobs($1, array[$2::uuid])";
    let row = producer.query_one(sql, &[&of, &id]).await.expect("get_jobs");
    assert_eq!((row.get("status"), row.get::<_, i32>("attempts")), ("pending", 0));
    let sql = "select status, attempts_left from fairclaim.show_job($1)";
    let row = operator.query_one(sql, &[&id]).await.expect("show_job");
    assert_eq!((row.get("status"), row.get::<_, i32>("attempts_left")), ("pending", 25));
    for tenant in [Some(of), None] {
        let sql = "select id from fairclaim.list_jobs($1, p_status => 'pending')";
        let rows = operator.query(sql, &[&tenant]).await.expect("list_jobs");
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<Uuid>>(), [id]);
        let sql = "select jobs from fairclaim.count_jobs($1)";
        let row = operator.query_one(sql, &[&tenant]).await.expect("count_jobs");
        assert_eq!(row.get::<_, i32>("jobs"), 2);
    }
    let sql = "select status from fairclaim.job_overview where id = $1";
    let row = operator.query_one(sql, &[&id]).await.expect("the view");
    assert_eq!(row.get::<_, String>("status"), "pending");
}

#[tokio::test]
async fn a_limit_of_a_key_is_its_own_or_that_of_the_longest_prefix_or_one() {
    let stage = Stage::new().await;
    stage.limit("import:*", Some(2)).await;
    stage.limit("import:eu:*", Some(3)).await;
    stage.limit("import:eu:7", Some(4)).await;
    for (key, most) in [("other", 1), ("import:us", 2), ("import:eu:1", 3), ("import:eu:7", 4)] {
        for _ in 0..6 {
            stage.job(key).await;
        }
        let jobs = stage.claim().await;
        assert_eq!(jobs.len(), most, "{key}");
    }
    stage.limit("import:*", Some(5)).await;
    assert_eq!(stage.claim().await.len(), 3, "three more of import:us");
    stage.limit("other", Some(0)).await;
    let sql = "select was from fairclaim.set_key_limit($1, 'import:eu:7', null)";
    let row = stage.operator.query_one(sql, &[&tenant(1)]).await.expect("taken away");
    assert_eq!(row.get::<_, i32>("was"), 4);
}

#[tokio::test]
async fn a_lower_limit_takes_effect_as_jobs_end_and_none_holds_all() {
    let stage = Stage::new().await;
    stage.limit("a", Some(3)).await;
    for _ in 0..8 {
        stage.job("a").await;
    }
    let jobs = stage.claim().await;
    assert_eq!(jobs.len(), 3);
    stage.limit("a", Some(1)).await;
    for job in &jobs[..2] {
        settle(&stage.worker, job, "complete").await;
        assert!(stage.claim().await.is_empty());
    }
    settle(&stage.worker, &jobs[2], "complete").await;
    let job = stage.one().await;
    stage.limit("a", Some(0)).await;
    settle(&stage.worker, &job, "complete").await;
    assert!(stage.claim().await.is_empty());
    stage.limit("a", Some(2)).await;
    assert_eq!(stage.claim().await.len(), 2);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let stage = Stage::new().await;
    for (item, field) in [
        (json!({"key": ""}), "key"),
        (json!({"key": "x".repeat(256)}), "key"),
        (json!({"keep_order": true}), "keep_order"),
    ] {
        let mut job = json!({"tenant_id": tenant(1), "type": "import"});
        job.as_object_mut().expect("an object").extend(item.as_object().expect("one").clone());
        let sql = "select id from fairclaim.dispatch_jobs($1)";
        let error = refused(stage.producer.query(sql, &[&json!([job])]).await, "JQ004");
        assert!(error.message().starts_with(&format!("p_jobs[0].{field}: ")), "{error}");
        let sql = "select fairclaim.dispatch_job($1, 'import', p_key => $2, p_keep_order => $3)";
        let (key, keeps) = (item["key"].as_str(), item["keep_order"] == true);
        let error = refused(stage.producer.query(sql, &[&tenant(1), &key, &keeps]).await, "JQ004");
        assert!(error.message().starts_with(&format!("p_{field}: ")), "{error}");
    }
    let set = "select was from fairclaim.set_key_limit($1, $2, $3)";
    let long = "x".repeat(256);
    for (key, most) in [("", 1), (long.as_str(), 1), ("a", -1), ("a", 10_001)] {
        refused(stage.operator.query(set, &[&tenant(1), &key, &most]).await, "JQ004");
    }
    let nobody: Option<Uuid> = None;
    refused(stage.operator.query(set, &[&nobody, &"a", &1]).await, "JQ002");
}

#[tokio::test]
async fn a_worker_is_told_which_jobs_wait_for_their_key() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.job("a").await;
    }
    stage.one().await;
    let sql = "select reason, type, jobs from fairclaim.why_idle(array['default'])";
    let rows = stage.worker.query(sql, &[]).await.expect("why_idle");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let told: (String, String, i32) = (rows[0].get(0), rows[0].get(1), rows[0].get(2));
    assert_eq!(told, ("key".to_owned(), "import".to_owned(), 2));
}
