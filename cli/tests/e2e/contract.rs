//! The line of the contract that needs programs: what an application dispatches, a worker program
//! claims and runs.

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::json;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::support::{TestServer, start, stderr};

/// What a route of an application does: its own row and a job, in one transaction.
async fn order(transaction: &Transaction<'_>, item: &str) -> Uuid {
    transaction.execute("insert into purchase values ($1)", &[&item]).await.unwrap();
    let tenant = Tenant::named("acme").unwrap();
    let dispatch = Dispatch::raw(tenant, "ship", json!({ "item": item })).unwrap();
    dispatch.execute(transaction).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn line_8_what_a_route_dispatches_a_worker_program_claims_logs_runs_and_completes() {
    let server = TestServer::installed().await;
    let mut connection = server.client.pool().get().await.unwrap();
    connection.batch_execute("create table purchase (item text)").await.unwrap();
    let worker = start(&mut server.fairclaim(["work", "--worker-id", "w-8", "--exec", "ship=cat"]));

    let withdrawn = connection.transaction().await.unwrap();
    let never = order(&withdrawn, "lamp").await;
    withdrawn.rollback().await.unwrap();
    let open = connection.transaction().await.unwrap();
    let id = order(&open, "chair").await;
    // the worker is up and has looked past the open transaction
    let tenant = Tenant::named("bolt").unwrap();
    let other = Dispatch::raw(tenant, "ship", json!({})).unwrap();
    let other = server.client.dispatch(other).await.unwrap();
    server.until(Status::Completed, 1).await;
    assert_eq!(server.job(other).await.status, Status::Completed);
    assert_eq!(server.client.job(id).await.unwrap(), None);
    open.commit().await.unwrap();
    server.until(Status::Completed, 2).await;

    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    let claims = |id: Uuid| stderr(&output).matches(&format!("Claimed job id={id} ")).count();
    assert_eq!((claims(id), claims(other), claims(never)), (1, 1, 0), "{}", stderr(&output));
    let job = server.job(id).await;
    assert_eq!(
        (job.status, job.attempts, job.worker_id.as_deref()),
        (Status::Completed, 1, Some("w-8"))
    );
    assert_eq!(job.result, Some(json!({"item": "chair"})));
    assert_eq!(server.client.job(never).await.unwrap(), None);
    let items = connection.query("select item from purchase", &[]).await.unwrap();
    assert_eq!(items.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), ["chair"]);
}
