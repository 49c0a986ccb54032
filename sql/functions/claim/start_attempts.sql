-- Into `running`, and the wide rows out. The join order is pinned (offset 0): never `job` first.
create or replace function fairclaim.start_attempts(
  p_worker_id text,
  p_ids uuid[],
  p_tenants uuid[],
  p_attempts int[],
  p_lefts smallint[],
  p_losts smallint[],
  p_limited boolean,
  p_token uuid,
  p_expires timestamptz,
  p_cursor text
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text
)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
  with started as (
    insert into fairclaim.running
    select x.i, x.t, p_token, p_expires, x.a, x.l, x.z,
           p_limited and exists (select from fairclaim.tenant_limit b where b.tenant_id = x.t), p_worker_id
      from unnest(p_ids, p_tenants, p_attempts, p_lefts, p_losts) x(i, t, a, l, z))
  select j.id, j.tenant_id, j.type, 'processing'::text, j.payload, null::jsonb, p_worker_id, x.a::int,
         null::timestamptz, j.created_at, null::timestamptz, j.queue, j.priority::int, j.max_attempts::int,
         x.l::int, x.z::int, j.timeout, j.tags, j.metadata, p_token, p_expires, p_cursor
    from unnest(p_ids, p_tenants, p_attempts, p_lefts, p_losts) x(i, t, a, l, z)
   cross join lateral (select * from fairclaim.job j where j.tenant_id = x.t and j.id = x.i offset 0) j;
end
$$;

comment on function fairclaim.start_attempts(text, uuid[], uuid[], int[], smallint[], smallint[], boolean, uuid, timestamptz, text) is
'Starts the attempts of jobs that were taken out of `ready`, and returns them.';
