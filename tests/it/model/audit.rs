//! What must hold after every step: one place for every job, and the same state on both sides.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    database::{Database, micros},
    state::{Known, Model, Past, Place},
};

/// Jobs with no place, with two, and places without a job.
const PLACES: &str = "
    select coalesce(j.id, n.id)::text, string_agg(coalesce(n.place, 'nowhere'), ', ')
      from fairclaim_internal.job j
      full join (select id, tenant_id, 'ready' place from fairclaim_internal.ready
                 union all select id, tenant_id, 'running' from fairclaim_internal.running
                 union all select id, tenant_id, 'scheduled' from fairclaim_internal.scheduled
                 union all select id, tenant_id, 'held' from fairclaim_internal.held
                 union all select id, tenant_id, 'finished' from fairclaim_internal.finished) n
        on n.id = j.id and n.tenant_id = j.tenant_id
     group by 1 having count(*) <> 1 or bool_or(j.id is null or n.id is null)";

/// Rows of `ready` that no claim would find, or that stand in a lane of another key.
const LANES: &str = "
    select y.id::text, coalesce('lane ' || l.lane_id, 'no lane')
      from fairclaim_internal.ready y
      join fairclaim_internal.job j on j.tenant_id = y.tenant_id and j.id = y.id
      left join fairclaim_internal.lane l on l.lane_id = y.lane_id
     where l.lane_id is null or y.seq < l.floor or l.queue <> j.queue or l.type <> j.type
        or l.alone <> (y.lost >= 2) or not l.alone and l.priority <> j.priority
        or l.tenant_id <> j.tenant_id";

/// A job as `job_queue` shows it, with the token of its lease.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    tenant: Uuid,
    queue: String,
    job_type: String,
    priority: i32,
    max_attempts: i32,
    payload: Value,
    created: i64,
    status: String,
    attempts: i32,
    left: Option<i32>,
    lost: Option<i32>,
    next_retry: Option<i64>,
    worker: Option<String>,
    expires: Option<i64>,
    cancel_requested: bool,
    completed: Option<i64>,
    result: Option<Value>,
    error: Option<Value>,
}

/// The columns of a [`Seen`] after the id, read by number: to look for twenty names in each of a hundred rows in every step
/// took longer than to ask for them.
fn columns() -> String {
    let [created, next, expires, completed] =
        ["created_at", "next_retry_at", "lease_expires_at", "completed_at"].map(micros);
    format!(
        "id, tenant_id, queue, type, priority, max_attempts, payload, {created}, status, attempts, attempts_left, lost,
         {next}, worker_id, {expires}, cancel_requested, {completed}, result, error"
    )
}

impl From<&Row> for Seen {
    fn from(row: &Row) -> Self {
        Self {
            tenant: row.get(1),
            queue: row.get(2),
            job_type: row.get(3),
            priority: row.get(4),
            max_attempts: row.get(5),
            payload: row.get(6),
            created: row.get(7),
            status: row.get(8),
            attempts: row.get(9),
            left: row.get(10),
            lost: row.get(11),
            next_retry: row.get(12),
            worker: row.get(13),
            expires: row.get(14),
            cancel_requested: row.get(15),
            completed: row.get(16),
            result: row.get(17),
            error: row.get(18),
        }
    }
}

impl From<&Known> for Seen {
    fn from(job: &Known) -> Self {
        let mut seen = Self {
            tenant: job.tenant,
            queue: job.queue.to_owned(),
            job_type: job.job_type.to_owned(),
            priority: job.priority,
            max_attempts: job.max_attempts,
            payload: job.payload.clone(),
            created: job.created,
            status: job.status().to_owned(),
            attempts: job.attempts,
            left: Some(job.left),
            lost: Some(job.lost),
            next_retry: None,
            worker: None,
            expires: None,
            cancel_requested: false,
            completed: None,
            result: None,
            error: None,
        };
        match &job.place {
            Place::Waiting => {}
            Place::Scheduled { from, .. } => seen.next_retry = Some(*from),
            Place::Running { worker, expires, cancel_requested, .. } => {
                seen.worker = Some(worker.clone());
                seen.expires = Some(*expires);
                seen.cancel_requested = *cancel_requested;
            }
            Place::Finished(fact) => {
                (seen.left, seen.lost) = (None, None);
                seen.completed = Some(fact.at);
                seen.worker.clone_from(&fact.worker);
                seen.result.clone_from(&fact.result);
                seen.error.clone_from(&fact.error);
            }
        }
        seen
    }
}

/// Compares everything. Pauses that the database drew are noted.
pub(super) async fn audit(database: &Database, model: &mut Model) -> Result<(), String> {
    let jobs = format!("select {} from fairclaim.job_queue", columns());
    let history = format!(
        "select id, attempt, {}, worker_id, error from fairclaim_internal.attempt_error",
        micros("at")
    );
    let running = "select id, lease_token, attempt, limited, queue_group <> 0 as by_queue from fairclaim_internal.running";
    let (places, lanes, jobs, history, running) = tokio::try_join!(
        database.owner.query(PLACES, &[]),
        database.owner.query(LANES, &[]),
        database.auditor.query(&jobs, &[]),
        database.owner.query(&history, &[]),
        database.owner.query(running, &[]),
    )
    .map_err(|error| format!("the audit: {error:?}"))?;
    if let Some(row) = places.iter().chain(&lanes).next() {
        return Err(format!("the job {} is in: {}", row.get::<_, &str>(0), row.get::<_, &str>(1)));
    }
    same_jobs(model, &jobs)?;
    same_history(model, &history)?;
    same_leases(model, &running)
}

fn same_jobs(model: &mut Model, rows: &[Row]) -> Result<(), String> {
    if rows.len() != model.jobs.len() {
        return Err(format!("{} jobs, expected {}", rows.len(), model.jobs.len()));
    }
    for row in rows {
        let (id, seen): (Uuid, _) = (row.get(0), Seen::from(row));
        let job = model.jobs.get_mut(&id).ok_or_else(|| format!("nobody dispatched {id}"))?;
        if let (Place::Scheduled { from, to }, Some(at)) = (&mut job.place, seen.next_retry)
            && (*from..=*to).contains(&at)
        {
            (*from, *to) = (at, at);
        }
        let expected = Seen::from(&*job);
        if seen != expected {
            return Err(format!("the job {id} is {seen:?}\n  expected {expected:?}\n  of {job:?}"));
        }
    }
    Ok(())
}

fn same_history(model: &Model, rows: &[Row]) -> Result<(), String> {
    let past = |row: &Row| Past { at: row.get(2), worker: row.get(3), error: row.get(4) };
    let seen: BTreeMap<(Uuid, i32), Past> =
        rows.iter().map(|row| ((row.get(0), row.get(1)), past(row))).collect();
    let all = model.jobs.iter();
    let expected: BTreeMap<(Uuid, i32), Past> = all
        .flat_map(|(id, job)| job.history.iter().map(|(n, past)| ((*id, *n), past.clone())))
        .collect();
    let differs = |key: &&(Uuid, i32)| seen.get(*key) != expected.get(*key);
    match seen.keys().chain(expected.keys()).find(differs) {
        None => Ok(()),
        Some(key) => Err(format!(
            "the history of {key:?} is {:?}, expected {:?}",
            seen.get(key),
            expected.get(key)
        )),
    }
}

/// The tokens; and every running job of a tenant whose limit is in force counts, as it does in its queue.
fn same_leases(model: &Model, rows: &[Row]) -> Result<(), String> {
    for row in rows {
        let id: Uuid = row.get("id");
        let job = &model.jobs[&id];
        let expected = match &job.place {
            Place::Running { token, .. } => (*token, job.attempts),
            place => return Err(format!("{id} is running, expected {place:?}")),
        };
        if (row.get::<_, Uuid>("lease_token"), row.get::<_, i32>("attempt")) != expected {
            return Err(format!("the lease of {id} is not {expected:?}"));
        }
        let (limited, by_queue) = model.must_be_marked(job);
        if limited && !row.get::<_, bool>("limited") || by_queue && !row.get::<_, bool>("by_queue")
        {
            return Err(format!("{id} is running and not counted under a limit of it"));
        }
    }
    Ok(())
}
