//! The functions of the protocol as the tests call them: one plain call each, no client in between.

mod limits;

pub(crate) use limits::{Bound, set_limit};

use crate::support::GenericClient;
use serde_json::{Value, json};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

/// One claimed job: what is needed to settle it, and what the tests look at.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) job_type: String,
    pub(crate) queue: String,
    pub(crate) attempts: i32,
    pub(crate) attempts_left: i32,
    pub(crate) lost: i32,
    pub(crate) token: Uuid,
}

impl From<&Row> for Claimed {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            tenant: row.get("tenant_id"),
            job_type: row.get("type"),
            queue: row.get("queue"),
            attempts: row.get("attempts"),
            attempts_left: row.get("attempts_left"),
            lost: row.get("lost"),
            token: row.get("lease_token"),
        }
    }
}

/// What one settlement answered; no status for one that had been accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) accepted: bool,
    pub(crate) status: Option<String>,
}

impl Settled {
    /// An accepted one with this status.
    pub(crate) fn as_status(status: &str) -> Self {
        Self { accepted: true, status: Some(status.to_owned()) }
    }

    /// A refused one.
    pub(crate) const REFUSED: Self = Self { accepted: false, status: None };
}

/// The n-th tenant: consecutive uuids, as hand-numbered tenants have.
pub(crate) fn tenant(n: u128) -> Uuid {
    Uuid::from_u128(0x7e4a_0000_0000_4000_8000_0000_0000_0000 + n)
}

/// Dispatches one job with the defaults.
pub(crate) async fn dispatch(producer: &impl GenericClient, tenant: Uuid, job_type: &str) -> Uuid {
    let row = producer
        .query_one("select fairclaim.dispatch_job($1, $2)", &[&tenant, &job_type])
        .await
        .expect("dispatch_job");
    row.get(0)
}

/// Dispatches one job, given as an object of `dispatch_jobs`.
pub(crate) async fn dispatch_object(producer: &impl GenericClient, job: Value) -> Uuid {
    dispatch_batch(producer, &[job]).await.remove(0)
}

/// Dispatches several jobs in one call.
pub(crate) async fn dispatch_batch(producer: &impl GenericClient, jobs: &[Value]) -> Vec<Uuid> {
    producer
        .query("select id from fairclaim.dispatch_jobs($1) order by ordinal", &[&json!(jobs)])
        .await
        .expect("dispatch_jobs")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Dispatches `count` jobs of one tenant, type and queue in as few calls as the limits allow; the server makes the batch.
pub(crate) async fn dispatch_many(
    producer: &impl GenericClient,
    tenant: Uuid,
    queue: &str,
    job_type: &str,
    count: i32,
) {
    let mut left = count;
    while left > 0 {
        let n = left.min(10_000);
        producer
            .execute(
                "select fairclaim.dispatch_jobs((
                   select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'queue', $2::text, 'type', $3::text))
                     from generate_series(1, $4::int)))",
                &[&tenant, &queue, &job_type, &n],
            )
            .await
            .expect("dispatch_jobs");
        left -= n;
    }
}

/// `claim_job`, of every queue and type.
pub(crate) async fn claim_job(worker: &impl GenericClient, worker_id: &str) -> Option<Claimed> {
    let row = worker
        .query_opt("select * from fairclaim.claim_job($1)", &[&worker_id])
        .await
        .expect("claim_job");
    row.as_ref().map(Claimed::from)
}

/// `claim_jobs` of every queue and type, with the cursor moved on.
pub(crate) async fn claim_jobs(
    worker: &impl GenericClient,
    limit: i32,
    cursor: &mut Option<String>,
) -> Vec<Claimed> {
    try_claim_jobs(worker, limit, cursor).await.expect("claim_jobs")
}

/// As [`claim_jobs`], for callers that expect to fail.
pub(crate) async fn try_claim_jobs(
    worker: &impl GenericClient,
    limit: i32,
    cursor: &mut Option<String>,
) -> Result<Vec<Claimed>, Error> {
    let rows = worker
        .query(
            "select * from fairclaim.claim_jobs('worker', null, $1, p_lease => 300, p_cursor => $2)",
            &[&limit, cursor],
        )
        .await?;
    if let Some(row) = rows.first() {
        *cursor = row.get("next_cursor");
    }
    Ok(rows.iter().map(Claimed::from).collect())
}

/// Settles one attempt without result, error or delay.
pub(crate) async fn settle(worker: &impl GenericClient, job: &Claimed, outcome: &str) -> Settled {
    settle_after(worker, job, outcome, None).await
}

/// Settles one attempt with a delay in seconds.
pub(crate) async fn settle_after(
    worker: &impl GenericClient,
    job: &Claimed,
    outcome: &str,
    delay: Option<f64>,
) -> Settled {
    let row = worker
        .query_one(
            "select kind = 'settled', case kind when 'settled' then status end
               from fairclaim.settle_jobs('worker', array[$1::uuid], array[$2::int], array[$3::uuid], array[$4::text], null,
                 array[case when $4 in ('retry', 'fail', 'cancel') then '{\"code\": \"boom\", \"message\": \"it failed\"}' end],
                 array[$5::float8])",
            &[&job.id, &job.attempts, &job.token, &outcome, &delay],
        )
        .await
        .expect("settle_jobs");
    Settled { accepted: row.get(0), status: row.get(1) }
}

/// Settles many attempts with one outcome and the least delay that it may have; every one must be accepted.
pub(crate) async fn settle_all(worker: &impl GenericClient, jobs: &[Claimed], outcome: &str) {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let outcomes = vec![outcome; jobs.len()];
    let delay = match outcome {
        "snooze" => Some(0.1_f64),
        "retry" => Some(0.0),
        _ => None,
    };
    let delays = vec![delay; jobs.len()];
    let rows = worker
        .query(
            "select kind = 'settled' from fairclaim.settle_jobs('worker', $1, $2, $3, $4, null, null, $5)",
            &[&ids, &attempts, &tokens, &outcomes, &delays],
        )
        .await
        .expect("settle_jobs");
    assert_eq!(rows.len(), jobs.len());
    assert!(rows.iter().all(|row| row.get(0)), "a settlement of a held lease was refused");
}

/// One tick.
pub(crate) async fn tick(worker: &impl GenericClient) -> Row {
    worker.query_one("select * from fairclaim.tick()", &[]).await.expect("tick")
}

/// The error of a statement that must fail, with this code.
pub(crate) fn refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    code: &str,
) -> tokio_postgres::error::DbError {
    let error = result.expect_err("the server must refuse this");
    let db = error
        .as_db_error()
        .unwrap_or_else(|| panic!("not an error of the server: {error}"))
        .clone();
    assert_eq!(db.code().code(), code, "{}: {}", db.code().code(), db.message());
    db
}
