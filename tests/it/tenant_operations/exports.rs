use serde_json::{Value, json};
use uuid::Uuid;

use super::Stage;
use crate::{
    calls::{dispatch_batch, refused, tenant},
    support::Client,
};

/// All pages of an export.
async fn export(session: &Client, n: u128, payloads: bool) -> Vec<(String, Value)> {
    let sql = "select * from fairclaim.export_tenant($1, $2, p_limit => 7, p_payloads => $3)";
    let (mut all, mut after) = (Vec::new(), None::<Uuid>);
    loop {
        let rows =
            session.query(sql, &[&tenant(n), &after, &payloads]).await.expect("export_tenant");
        all.extend(rows.iter().map(|row| (row.get("kind"), row.get("document"))));
        after = rows.last().and_then(|row| row.get("next"));
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn an_export_has_everything_of_one_tenant_once_and_can_be_dispatched_again() {
    let stage = Stage::set().await;
    stage.failed(1, 5).await;
    let ids = stage.dispatch(1, "default", 20).await;
    stage.delayed(1, "default", 2).await;
    stage.dispatch(2, "default", 3).await;
    stage.claim("default", 4).await;
    let drain = "select fairclaim.drain_tenant($1, 'it leaves')";
    stage.operator.query(drain, &[&tenant(1)]).await.expect("drain_tenant");
    let all = export(&stage.operator, 1, true).await;
    let of = |kind: &str| -> Vec<&Value> {
        all.iter().filter(|(other, _)| other == kind).map(|(_, document)| document).collect()
    };
    assert_eq!((of("tenant").len(), of("setting").len(), of("audit").len()), (1, 1, 1));
    assert_eq!(of("audit")[0]["why"], "it leaves");
    let jobs = of("job");
    assert_eq!(jobs.len(), 27);
    assert!(jobs.windows(2).all(|pair| pair[0]["id"].as_str() < pair[1]["id"].as_str()));
    assert!(jobs.iter().all(|job| job["tenant_id"] == tenant(1).to_string()));
    let failed: Vec<_> = jobs.iter().filter(|job| job["status"] == "failed").collect();
    assert_eq!(failed.len(), 5);
    let first = jobs.iter().find(|job| job["id"] == ids[3].to_string()).expect("a job");
    assert_eq!(first["payload"], 3);

    // what waits can be dispatched as it is, for another tenant
    let again: Vec<Value> = jobs
        .iter()
        .filter(|job| job["status"] == "pending")
        .map(|job| json!({"tenant_id": tenant(3), "type": job["type"], "queue": job["queue"], "payload": job["payload"],
                          "priority": job["priority"], "tags": job["tags"], "metadata": job["metadata"]}))
        .collect();
    dispatch_batch(&stage.producer, &again).await;
    let copy = export(&stage.operator, 3, true).await;
    let payloads = |all: &[(String, Value)], status: &str| -> Vec<Value> {
        let jobs = all.iter().filter(|(kind, job)| kind == "job" && job["status"] == status);
        jobs.map(|(_, job)| job["payload"].clone()).collect()
    };
    assert_eq!(payloads(&copy, "pending"), payloads(&all, "pending"));
}

#[tokio::test]
async fn payloads_are_for_auditors() {
    let stage = Stage::set().await;
    stage.failed(1, 1).await;
    let plain = stage.db.plain_operator().await;
    let sql = "select * from fairclaim.export_tenant($1)";
    refused(plain.query(sql, &[&tenant(1)]).await, "JQ007");
    let all = export(&plain, 1, false).await;
    let (kind, job) = all.last().expect("a job");
    assert_eq!((kind.as_str(), &job["status"]), ("job", &json!("failed")));
    for secret in ["payload", "result", "metadata"] {
        assert_eq!(job.get(secret), None, "{job}");
    }
    let auditor = stage.db.auditor().await;
    assert_eq!(export(&auditor, 1, true).await.last().expect("a job").1["payload"], 0);
}
