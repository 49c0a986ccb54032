//! How the demo reads the database: to show what happens, and to check what it claims in the end.
//!
//! It looks into the tables, which no client may. It can because the login that installed the
//! schema may act as its owner; it does so inside one transaction at a time, so that the pooled
//! connection goes back as it came.

use std::collections::HashMap;
use std::time::SystemTime;

use fairclaim::Client;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// The jobs of this run: its tenants, and the ids between the first and the last.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) tenants: Vec<Uuid>,
    pub(super) first: Uuid,
    pub(super) last: Uuid,
}

/// A parameter; its type travels beside it, so that nothing has to be prepared: a pooler may be in
/// between.
type Value<'a> = &'a (dyn ToSql + Sync);

impl Scope {
    fn params(&self) -> [(Value<'_>, Type); 3] {
        [(&self.tenants, Type::UUID_ARRAY), (&self.first, Type::UUID), (&self.last, Type::UUID)]
    }
}

/// Where the jobs of one tenant are, and when the first and the last of those that are done were:
/// in seconds since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) waiting: usize,
    pub(super) running: usize,
    pub(super) finished: usize,
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
}

const PROGRESS: &str = "
with finished as (
  select tenant_id, count(*) as n, min(completed_at) as first_at, max(completed_at) as last_at
    from fairclaim_internal.finished
   where id between $2 and $3 and tenant_id = any ($1) group by tenant_id
), waiting as (
  select tenant_id, count(*) as n
    from (select tenant_id from fairclaim_internal.ready where tenant_id = any ($1)
          union all
          select tenant_id from fairclaim_internal.scheduled where tenant_id = any ($1)) w group by tenant_id
), running as (
  select tenant_id, count(*) as n from fairclaim_internal.running where tenant_id = any ($1) group by tenant_id
)
select t.tenant_id, coalesce(w.n, 0) as waiting, coalesce(r.n, 0) as running,
       coalesce(f.n, 0) as finished,
       extract(epoch from f.first_at - $4)::float8 as first,
       extract(epoch from f.last_at - $4)::float8 as last
  from unnest($1::uuid[]) t(tenant_id)
  left join waiting w using (tenant_id)
  left join running r using (tenant_id)
  left join finished f using (tenant_id)";

/// Reads the progress of every tenant since `begun`, in one snapshot.
pub(super) async fn progress(
    client: &Client,
    scope: &Scope,
    begun: SystemTime,
) -> anyhow::Result<HashMap<Uuid, Progress>> {
    let mut params = scope.params().to_vec();
    params.push((&begun as Value<'_>, Type::TIMESTAMPTZ));
    let rows = read(client, PROGRESS, &params).await?;
    rows.iter()
        .map(|row| {
            let progress = Progress {
                waiting: count(row, "waiting")?,
                running: count(row, "running")?,
                finished: count(row, "finished")?,
                first: row.try_get("first")?,
                last: row.try_get("last")?,
            };
            Ok((row.try_get("tenant_id")?, progress))
        })
        .collect()
}

/// Asks for the time of the database.
pub(super) async fn clock(client: &Client) -> anyhow::Result<SystemTime> {
    Ok(one(client, "select fairclaim.clock() as at", &[]).await?.try_get("at")?)
}

const HELD: &str = "select id from fairclaim_internal.running where worker_id = $1 and tenant_id = any ($2) order by id";

/// Lists the jobs that a worker has claimed and not settled.
pub(super) async fn held(
    client: &Client,
    scope: &Scope,
    worker_id: &str,
) -> anyhow::Result<Vec<Uuid>> {
    let rows =
        read(client, HELD, &[(&worker_id, Type::TEXT), (&scope.tenants, Type::UUID_ARRAY)]).await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// What the tables say about the jobs of a run when it is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Jobs that exist.
    pub(super) dispatched: usize,
    /// Rows that say how a job ended.
    pub(super) finished: usize,
    /// Different jobs among them.
    pub(super) distinct: usize,
    /// How many of them ended well.
    pub(super) completed: usize,
    /// Jobs without such a row.
    pub(super) missing: usize,
    /// Jobs that are still waiting or running.
    pub(super) left: usize,
    /// Attempts of all jobs together.
    pub(super) attempts: usize,
    /// Attempts that never ended: their leases expired.
    pub(super) lost: usize,
    /// Attempts that failed.
    pub(super) failed: usize,
}

const TOTALS: &str = "
select (select count(*) from fairclaim_internal.job j
         where j.id between $2 and $3 and j.tenant_id = any ($1)) as dispatched,
       (select count(*) from fairclaim_internal.job j
         where j.id between $2 and $3 and j.tenant_id = any ($1)
           and not exists (select from fairclaim_internal.finished f
                            where f.id = j.id and f.tenant_id = j.tenant_id)) as missing,
       (select count(*) from fairclaim_internal.ready where tenant_id = any ($1))
       + (select count(*) from fairclaim_internal.scheduled where tenant_id = any ($1))
       + (select count(*) from fairclaim_internal.running where tenant_id = any ($1)) as left,
       count(*) as finished, count(distinct f.id) as distinct,
       count(*) filter (where f.status = 'completed') as completed,
       coalesce(sum(f.attempts), 0)::bigint as attempts,
       (select count(*) from fairclaim_internal.attempt_error e
         where e.id between $2 and $3 and e.tenant_id = any ($1) and e.error ->> 'code' = 'lost') as lost,
       (select count(*) from fairclaim_internal.attempt_error e
         where e.id between $2 and $3 and e.tenant_id = any ($1)
           and e.error ->> 'code' is distinct from 'lost') as failed
  from fairclaim_internal.finished f where f.id between $2 and $3 and f.tenant_id = any ($1)";

/// Reads the [`Totals`].
pub(super) async fn totals(client: &Client, scope: &Scope) -> anyhow::Result<Totals> {
    let row = one(client, TOTALS, &scope.params()).await?;
    Ok(Totals {
        dispatched: count(&row, "dispatched")?,
        finished: count(&row, "finished")?,
        distinct: count(&row, "distinct")?,
        completed: count(&row, "completed")?,
        missing: count(&row, "missing")?,
        left: count(&row, "left")?,
        attempts: count(&row, "attempts")?,
        lost: count(&row, "lost")?,
        failed: count(&row, "failed")?,
    })
}

const RECOVERED: &str = "
select count(*) as recovered from fairclaim_internal.finished
 where id = any ($1) and status = 'completed' and worker_id <> $2 and attempts > 1";

/// Counts the jobs that a dead worker held and another one has completed, on a later attempt.
pub(super) async fn recovered(client: &Client, held: &[Uuid], dead: &str) -> anyhow::Result<usize> {
    count(
        &one(client, RECOVERED, &[(&held, Type::UUID_ARRAY), (&dead, Type::TEXT)]).await?,
        "recovered",
    )
}

/// When the small tenants' turn came, counted in jobs of all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Served {
    /// Small tenants that were served at all.
    pub(super) tenants: usize,
    /// Jobs that each worker had finished with its last job of a small tenant, all workers
    /// together.
    pub(super) all_done: usize,
    /// Jobs that were finished when the last small one was, and how many of them the flood's.
    pub(super) done_with: usize,
    pub(super) flood_with: usize,
    /// How many seconds after the start that was.
    pub(super) seconds: f64,
}

/// Counts by the order of completion; jobs that were settled in the same moment count as earlier,
/// so the figures are upper bounds. What the killed worker held ($5) comes when its leases are
/// over, and says nothing about turns.
const SERVED: &str = "
with f as materialized (
  select tenant_id, worker_id, completed_at, tenant_id <> $4 and not id = any ($5) as counts from fairclaim_internal.finished
   where id between $2 and $3 and tenant_id = any ($1)
), done as (
  select worker_id, max(completed_at) as at from f where counts group by worker_id
), ended as (
  select max(at) as at from done
)
select (select count(distinct f.tenant_id) from f where f.tenant_id <> $4) as tenants,
       (select count(*) from f join done using (worker_id)
         where f.completed_at <= done.at) as all_done,
       (select count(*) from f where f.completed_at <= ended.at) as done_with,
       (select count(*) from f
         where f.completed_at <= ended.at and f.tenant_id = $4) as flood_with,
       coalesce(extract(epoch from ended.at - $6), 0)::float8 as seconds
  from ended";

/// Reads [`Served`]; `flood` is the one tenant that is not small, `held` what the killed worker
/// held.
pub(super) async fn served(
    client: &Client,
    scope: &Scope,
    flood: Uuid,
    held: &[Uuid],
    begun: SystemTime,
) -> anyhow::Result<Served> {
    let mut params = scope.params().to_vec();
    params.extend([(&flood as Value<'_>, Type::UUID), (&held as Value<'_>, Type::UUID_ARRAY)]);
    params.push((&begun as Value<'_>, Type::TIMESTAMPTZ));
    let row = one(client, SERVED, &params).await?;
    Ok(Served {
        tenants: count(&row, "tenants")?,
        all_done: count(&row, "all_done")?,
        done_with: count(&row, "done_with")?,
        flood_with: count(&row, "flood_with")?,
        seconds: row.try_get("seconds")?,
    })
}

fn count(row: &Row, column: &str) -> anyhow::Result<usize> {
    Ok(usize::try_from(row.try_get::<_, i64>(column)?)?)
}

async fn one(client: &Client, sql: &str, params: &[(Value<'_>, Type)]) -> anyhow::Result<Row> {
    let rows = read(client, sql, params).await?;
    rows.into_iter().next().ok_or_else(|| anyhow::anyhow!("a summary query answered nothing"))
}

async fn read(
    client: &Client,
    sql: &str,
    params: &[(Value<'_>, Type)],
) -> anyhow::Result<Vec<Row>> {
    let mut connection = client.pool().get().await?;
    let transaction = connection.build_transaction().read_only(true).start().await?;
    transaction.batch_execute("set local role fairclaim_owner").await?;
    let rows = transaction.query_typed(sql, params).await?;
    transaction.commit().await?;
    Ok(rows)
}
