//! Hosts bound the temporary files of a session. A call within its limits needs none.

use serde_json::json;

use crate::{
    calls::{claim_jobs, tenant},
    support::TestDb,
};

#[tokio::test]
async fn a_full_batch_and_a_thousand_results_need_no_temporary_file() {
    let db = TestDb::new().await;
    let limits = format!(
        "alter database {0} set temp_file_limit = '64kB'; alter database {0} set work_mem = '64kB'",
        db.name()
    );
    db.superuser().await.batch_execute(&limits).await.expect("alter database");
    let producer = db.direct_session("test_producer").await;
    let worker = db.direct_session("test_worker").await;
    // what the statement itself needs to make the batch
    producer.batch_execute("set work_mem = '64MB'").await.expect("set");
    let batch = "(select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail', 'payload', repeat('m', 4000)))
                    from generate_series(1, 4000))";
    let made =
        producer.query_one(&format!("select {batch}"), &[&tenant(1)]).await.expect("a batch");
    let batch: serde_json::Value = made.get(0);
    producer.batch_execute("set work_mem = '64kB'").await.expect("set");
    let sql = "select count(*) from fairclaim.dispatch_jobs($1)";
    let row = producer.query_one(sql, &[&batch]).await.expect("dispatch_jobs");
    assert_eq!(row.get::<_, i64>(0), 4000);

    let jobs = claim_jobs(&worker, 10, &mut None).await;
    let result = json!("r".repeat(100_000));
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let tokens: Vec<_> = jobs.iter().map(|job| job.token).collect();
    let sql = "select count(*) from fairclaim.settle_jobs('worker', $1, array_fill(1, array[10]), $2, array_fill('complete'::text, array[10]),
                 array_fill($3::jsonb::text, array[10])) where kind = 'settled'";
    let row = worker.query_one(sql, &[&ids, &tokens, &result]).await.expect("settle_jobs");
    assert_eq!(row.get::<_, i64>(0), 10);
}
