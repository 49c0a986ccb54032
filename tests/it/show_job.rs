//! One job with its history, as an operator and as an auditor see it; and whose jobs a session sees.

use crate::support::Client;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    calls::{claim_job, dispatch_object, refused, settle_after, tenant},
    support::TestDb,
};

const SHOW: &str = "select * from fairclaim.show_job($1, $2)";

/// A job with everything in it, that failed once and waits for its retry.
async fn a_job_that_failed(db: &TestDb) -> Uuid {
    let (producer, worker) = (db.producer().await, db.worker().await);
    let job = json!({"tenant_id": tenant(1), "type": "mail", "queue": "letters", "payload": {"to": "MARK"}, "priority": 3,
                     "max_attempts": 4, "tags": ["blue"], "metadata": {"trace": "MARK"}, "timeout": 60});
    let id = dispatch_object(&producer, job).await;
    let job = claim_job(&worker, "w").await.expect("the job");
    settle_after(&worker, &job, "retry", Some(60.0)).await;
    id
}

async fn show(session: &Client, id: Uuid, tenant: Option<Uuid>) -> Option<Row> {
    session.query_opt(SHOW, &[&id, &tenant]).await.expect("show_job")
}

#[tokio::test]
async fn show_job_tells_an_auditor_everything() {
    let db = TestDb::new().await;
    let id = a_job_that_failed(&db).await;
    let row = show(&db.auditor().await, id, None).await.expect("the job");
    assert_eq!((row.get("id"), row.get("tenant_id")), (id, tenant(1)));
    let texts = ["queue", "type", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(texts, ["letters", "mail", "scheduled"]);
    let numbers = ["priority", "attempts", "max_attempts"].map(|column| row.get::<_, i32>(column));
    assert_eq!(numbers, [3, 1, 4]);
    let counted = ["attempts_left", "lost"].map(|column| row.get::<_, Option<i32>>(column));
    assert_eq!(counted, [Some(3), Some(0)]);
    assert!(!row.get::<_, bool>("cancel_requested"), "it does not run");
    assert_eq!(row.get::<_, Vec<String>>("tags"), ["blue"]);
    assert_eq!(row.get::<_, Value>("payload"), json!({"to": "MARK"}));
    assert_eq!(row.get::<_, Value>("metadata"), json!({"trace": "MARK"}));
    let errors: Value = row.get("errors");
    assert_eq!((&errors[0]["attempt"], &errors[0]["worker_id"]), (&json!(1), &json!("worker")));
    assert_eq!(errors[0]["error"], json!({"code": "boom", "message": "it failed"}));
}

#[tokio::test]
async fn show_job_keeps_payloads_and_error_texts_from_an_operator() {
    let db = TestDb::new().await;
    let id = a_job_that_failed(&db).await;
    let operator = db.operator().await; // its login is an auditor too
    operator.batch_execute("set role fairclaim_operator").await.expect("set role");
    let row = show(&operator, id, None).await.expect("the job");
    assert_eq!(row.get::<_, &str>("status"), "scheduled");
    for column in ["payload", "result", "error", "metadata"] {
        assert_eq!(row.get::<_, Option<Value>>(column), None, "{column}");
    }
    let errors: Value = row.get("errors");
    assert_eq!(errors[0]["error"], json!({"code": "boom"}), "the code and no text");

    let (producer, worker) = (db.producer().await, db.worker().await);
    let id = dispatch_object(&producer, json!({"tenant_id": tenant(1), "type": "mail"})).await;
    let job = claim_job(&worker, "w").await.expect("the job");
    settle_after(&worker, &job, "fail", None).await;
    let row = show(&operator, id, None).await.expect("the job");
    assert_eq!(row.get::<_, Value>("error"), json!({"code": "boom"}), "of its end as well");
}

#[tokio::test]
async fn show_job_finds_no_job_of_another_tenant_and_none_that_is_not_there() {
    let db = TestDb::new().await;
    let id = a_job_that_failed(&db).await;
    let auditor = db.auditor().await;
    assert!(show(&auditor, id, Some(tenant(1))).await.is_some());
    assert!(show(&auditor, id, Some(tenant(2))).await.is_none());
    assert!(show(&auditor, Uuid::nil(), None).await.is_none());
    refused(db.producer().await.query(SHOW, &[&id, &None::<Uuid>]).await, "42501");
}

#[tokio::test]
async fn current_tenant_id_comes_from_where_the_installer_said_and_from_nowhere_else() {
    const TENANT: &str = "select fairclaim.current_tenant_id()";
    const CLAIMS: &str = "select set_config('request.jwt.claims', $1, false)";
    const SETTING: &str = "select set_config('fairclaim.tenant_id', $1, false)";
    let db = TestDb::new().await;
    let (owner, session) = (db.owner().await, db.tenant().await);
    let claims = json!({"app_metadata": {"tenant_id": tenant(1)}, "user_metadata": {"tenant_id": tenant(9)}});
    session.execute(CLAIMS, &[&claims.to_string()]).await.expect("set_config");
    session.execute(SETTING, &[&tenant(2).to_string()]).await.expect("set_config");
    refused(session.query(TENANT, &[]).await, "JQ002");

    for (source, fixed, expected) in
        [("claims", None, 1), ("setting", None, 2), ("fixed", Some(tenant(3)), 3)]
    {
        owner.execute("delete from fairclaim_internal.login_tenant", &[]).await.expect("delete");
        owner
            .execute(
                "insert into fairclaim_internal.login_tenant values ('test_tenant', $1, $2)",
                &[&source, &fixed],
            )
            .await
            .expect("login_tenant");
        let found: Uuid = session.query_one(TENANT, &[]).await.expect(source).get(0);
        assert_eq!(found, tenant(expected), "{source}");
    }
    owner
        .batch_execute(
            "update fairclaim_internal.login_tenant set source = 'setting', tenant_id = null",
        )
        .await
        .expect("update");
    for malformed in ["", "7", "not-a-uuid", "------------------------------------"] {
        session.execute(SETTING, &[&malformed]).await.expect("set_config");
        refused(session.query(TENANT, &[]).await, "JQ002");
    }
}
