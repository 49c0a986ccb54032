//! What most queues are: one wide table, a status, and the usual partial indexes. Only its INSERT
//! is measured, bare, as the floor that a dispatch is held against.

use anyhow::Result;

use crate::target::Site;

/// One job by a bare INSERT, with the parameters of a dispatch.
pub(crate) const INSERT: &str = "insert into fairclaim_bench.job (tenant_id, type, payload, queue)
  values ($1, $2, $3::text::jsonb, $4)";

/// Many by one INSERT.
pub(crate) const INSERT_MANY: &str = "insert into fairclaim_bench.job (tenant_id, queue, type, payload)
  select j.tenant_id, j.queue, j.type, j.payload
    from jsonb_to_recordset($1::text::jsonb) j (tenant_id uuid, queue text, type text, payload jsonb)";

const MAKE: &str = "drop schema if exists fairclaim_bench cascade;
create schema fairclaim_bench;
create table fairclaim_bench.job (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  queue text not null,
  type text not null,
  status text not null default 'pending',
  priority int not null default 0,
  payload jsonb not null,
  result jsonb,
  error jsonb,
  worker_id text,
  attempts int not null default 0,
  max_attempts int not null default 25,
  run_at timestamptz not null default now(),
  lease_expires_at timestamptz,
  created_at timestamptz not null default now(),
  completed_at timestamptz
);
create index on fairclaim_bench.job (queue, priority desc, run_at, id) where status = 'pending';
create index on fairclaim_bench.job (lease_expires_at) where status = 'processing';
create index on fairclaim_bench.job (tenant_id, created_at);";

pub(crate) async fn make(site: &Site) -> Result<()> {
    Ok(site.control.batch_execute(MAKE).await?)
}

pub(crate) async fn remove(site: &Site) -> Result<()> {
    Ok(site.control.batch_execute("drop schema fairclaim_bench cascade").await?)
}
