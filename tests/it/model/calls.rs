//! The calls of the protocol, as rows that can be compared.

use serde_json::{Value, json};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::{
    database::micros,
    rules::{Answer, Given},
    session::Session,
    state::{Lease, Model, QUEUES, TYPES},
    steps::{Claim, NewJob},
};

/// A row of a claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claimed {
    pub(super) id: Uuid,
    pub(super) tenant: Uuid,
    pub(super) job_type: String,
    pub(super) status: String,
    pub(super) payload: Value,
    pub(super) worker: String,
    pub(super) attempts: i32,
    pub(super) created: i64,
    pub(super) queue: String,
    pub(super) priority: i32,
    pub(super) max_attempts: i32,
    pub(super) left: i32,
    pub(super) lost: i32,
    pub(super) token: Uuid,
    pub(super) expires: i64,
}

impl From<&Row> for Claimed {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            tenant: row.get("tenant_id"),
            job_type: row.get("type"),
            status: row.get("status"),
            payload: row.get("payload"),
            worker: row.get("worker_id"),
            attempts: row.get("attempts"),
            created: row.get("created_us"),
            queue: row.get("queue"),
            priority: row.get("priority"),
            max_attempts: row.get("max_attempts"),
            left: row.get("attempts_left"),
            lost: row.get("lost"),
            token: row.get("lease_token"),
            expires: row.get("expires_us"),
        }
    }
}

/// The names of a set of bits; none stands for all.
pub(super) fn names(all: &[&'static str], bits: usize) -> Option<Vec<&'static str>> {
    let chosen = all.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, name)| *name);
    (bits != 0).then(|| chosen.collect())
}

fn columns() -> String {
    format!("*, {} created_us, {} expires_us", micros("created_at"), micros("lease_expires_at"))
}

pub(super) async fn dispatch(
    producer: &Session,
    job: &NewJob,
    payload: &Value,
) -> Result<Uuid, Error> {
    let sql = "select fairclaim.dispatch_job($1, $2, $3, p_queue => $4, p_priority => $5,
                 p_delay => $6, p_max_attempts => $7)";
    let (tenant, delay) = (Model::tenant(job.tenant), job.delay.map(f64::from));
    let (queue, job_type) = (QUEUES[job.queue], TYPES[job.job_type]);
    let row = producer
        .query_one(
            sql,
            &[&tenant, &job_type, payload, &queue, &job.priority, &delay, &job.max_attempts],
        )
        .await?;
    Ok(row.get(0))
}

pub(super) async fn dispatch_many(
    producer: &Session,
    jobs: &[(NewJob, Value)],
) -> Result<Vec<Uuid>, Error> {
    let objects: Vec<Value> = jobs
        .iter()
        .map(|(job, payload)| {
            json!({"tenant_id": Model::tenant(job.tenant), "type": TYPES[job.job_type], "queue": QUEUES[job.queue],
                   "payload": payload, "priority": job.priority, "max_attempts": job.max_attempts, "delay": job.delay})
        })
        .collect();
    let sql = "select d.id from fairclaim.dispatch_jobs($1) d order by d.ordinal";
    let rows = producer.query(sql, &[&json!(objects)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A claim in the way that it says; the last cursor is moved on.
pub(super) async fn claim(
    worker: &Session,
    worker_id: &str,
    claim: &Claim,
    cursor: &mut Option<String>,
) -> Result<Vec<Claimed>, Error> {
    let (queues, types) = (names(&QUEUES, claim.queues), names(&TYPES, claim.types));
    let lease = f64::from(claim.lease);
    let Some(limit) = claim.limit else {
        let sql = format!("select {} from fairclaim.claim_job($1, $2, $3, $4)", columns());
        let rows = worker.query(&sql, &[&worker_id, &queues, &types, &lease]).await?;
        return Ok(rows.iter().map(Claimed::from).collect());
    };
    let sql = format!(
        "select {} from fairclaim.claim_jobs($1, $2, $3, $4, $5, $6, p_alone => $7)",
        columns()
    );
    let from = cursor.clone().filter(|_| claim.goes_on);
    let rows = worker
        .query(&sql, &[&worker_id, &queues, &limit, &types, &lease, &from, &claim.alone])
        .await?;
    move_on(cursor, &rows);
    Ok(rows.iter().map(Claimed::from).collect())
}

fn move_on(cursor: &mut Option<String>, rows: &[Row]) {
    if let Some(row) = rows.last() {
        *cursor = row.get("next_cursor");
    }
}

/// The lists of a settlement.
struct Lists {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    tokens: Vec<Uuid>,
    outcomes: Vec<&'static str>,
    results: Option<Vec<Option<String>>>,
    errors: Option<Vec<Option<String>>>,
    delays: Option<Vec<Option<f64>>>,
}

impl Lists {
    /// Lists in which nothing would stand are left out.
    fn of(all: &[Given]) -> Self {
        let leases: Vec<Lease> = all.iter().map(|given| given.lease).collect();
        let some = |any: bool| any.then_some(());
        Self {
            ids: leases.iter().map(|lease| lease.id).collect(),
            attempts: leases.iter().map(|lease| lease.attempt).collect(),
            tokens: leases.iter().map(|lease| lease.token).collect(),
            outcomes: all.iter().map(|given| given.outcome).collect(),
            results: some(all.iter().any(|given| given.result.is_some())).map(|()| {
                all.iter().map(|given| given.result.as_ref().map(Value::to_string)).collect()
            }),
            errors: some(all.iter().any(|given| given.error.is_some())).map(|()| {
                all.iter().map(|given| given.error.as_ref().map(Value::to_string)).collect()
            }),
            delays: some(all.iter().any(|given| given.delay.is_some()))
                .map(|()| all.iter().map(|given| given.delay.map(f64::from)).collect()),
        }
    }
}

fn answer(row: &Row) -> Answer {
    Answer {
        id: row.get("id"),
        attempts: row.get("attempts"),
        kind: row.get("kind"),
        status: row.get("status"),
    }
}

pub(super) async fn settle(
    worker: &Session,
    worker_id: &str,
    all: &[Given],
) -> Result<Vec<Answer>, Error> {
    let lists = Lists::of(all);
    let sql = "select * from fairclaim.settle_jobs($1, $2, $3, $4, $5, $6, $7, $8)";
    let rows = worker
        .query(
            sql,
            &[
                &worker_id,
                &lists.ids,
                &lists.attempts,
                &lists.tokens,
                &lists.outcomes,
                &lists.results,
                &lists.errors,
                &lists.delays,
            ],
        )
        .await?;
    Ok(rows.iter().map(answer).collect())
}

pub(super) async fn settle_and_claim(
    worker: &Session,
    worker_id: &str,
    all: &[Given],
    claim: &Claim,
    cursor: &mut Option<String>,
) -> Result<(Vec<Answer>, Vec<Claimed>), Error> {
    let lists = Lists::of(all);
    let (queues, types) = (names(&QUEUES, claim.queues), names(&TYPES, claim.types));
    let (limit, lease) = (claim.limit.unwrap_or(0), f64::from(claim.lease));
    let from = cursor.clone().filter(|_| claim.goes_on);
    let sql = format!(
        "select {} from fairclaim.settle_and_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                $12, $13, p_alone => $14)",
        columns()
    );
    let rows = worker
        .query(
            &sql,
            &[
                &worker_id,
                &lists.ids,
                &lists.attempts,
                &lists.tokens,
                &lists.outcomes,
                &lists.results,
                &lists.errors,
                &lists.delays,
                &queues,
                &limit,
                &types,
                &lease,
                &from,
                &claim.alone,
            ],
        )
        .await?;
    let mut rows = rows;
    let next = rows.pop().filter(|row| row.get::<_, &str>("kind") == "next");
    *cursor = next.expect("a last row").get("next_cursor");
    let (claimed, settled): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.get::<_, &str>("kind") == "claimed");
    Ok((settled.iter().map(answer).collect(), claimed.iter().map(Claimed::from).collect()))
}

pub(super) async fn extend(
    worker: &Session,
    worker_id: &str,
    leases: &[Lease],
    seconds: u32,
) -> Result<Vec<(Uuid, bool, bool)>, Error> {
    let ids: Vec<Uuid> = leases.iter().map(|lease| lease.id).collect();
    let attempts: Vec<i32> = leases.iter().map(|lease| lease.attempt).collect();
    let tokens: Vec<Uuid> = leases.iter().map(|lease| lease.token).collect();
    let sql = "select * from fairclaim.extend_leases($1, $2, $3, $4, $5)";
    let rows =
        worker.query(sql, &[&worker_id, &ids, &attempts, &tokens, &f64::from(seconds)]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("id"), row.get("accepted"), row.get("cancel_requested")))
        .collect())
}

pub(super) async fn release(
    worker: &Session,
    worker_id: &str,
    tokens: &[Uuid],
) -> Result<usize, Error> {
    let sql = "select jobs from fairclaim.release_claims($1, $2)";
    let rows = worker.query(sql, &[&worker_id, &tokens]).await?;
    let jobs: i32 = rows.iter().map(|row| row.get::<_, i32>(0)).sum();
    Ok(usize::try_from(jobs).expect("a number of jobs"))
}

/// `cancel_jobs`, `retry_jobs` or `delete_jobs`.
pub(super) async fn change(
    client: &Session,
    function: &str,
    tenant: Option<Uuid>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Option<String>)>, Error> {
    let sql = format!("select id, status from fairclaim.{function}($1, $2)");
    let rows = client.query(&sql, &[&tenant, &ids]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
