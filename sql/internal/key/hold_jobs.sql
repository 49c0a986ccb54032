-- Puts those of these jobs that have a key, and no slot of it, into `held`, with a note for each
-- key. A new job stands behind those that wait, and one that has run before goes ahead of all new
-- ones. Only a claim, a tick or a settlement moves it on, never the transaction that brought it:
-- two open dispatches would both see room. Locks no row. The lock on `ready` is taken before any
-- number is drawn (I4), and with it the jobs' rows come before their note.
create or replace function fairclaim_internal.hold_jobs(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[]
) returns uuid[]
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_ms bigint := millis(fairclaim.clock());
  v_ids uuid[];
begin
  lock table ready in row exclusive mode;
  with item as materialized (
    select back.*, known.key, known.keep_order is true as keeps_order
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) with ordinality
           back(tenant_id, id, attempts, attempts_left, lost, ordinal)
     cross join lateral (
       select job.key, job.keep_order from job
        where job.tenant_id = back.tenant_id and job.id = back.id offset 0) known
     where known.key is not null
       and not exists (select from key_slot where key_slot.id = back.id offset 0)),
  placed as (
    insert into held (tenant_id, key, seq, id, attempts, attempts_left, lost, keeps_order)
    select item.tenant_id, item.key,
           nextval('ready_seq') - case when item.attempts > 0 then 4611686018427387904 else 0 end,
           item.id, item.attempts, item.attempts_left, item.lost, item.keeps_order
      from (select item.* from item order by item.ordinal) item
    returning held.tenant_id, held.key, held.seq, held.id),
  noted as (
    insert into key_note (tenant_id, key, floor)
    select placed.tenant_id, placed.key,
           coalesce(min(placed.seq) filter (where placed.seq >= 0), 4611686018427387904) - 1
      from placed group by placed.tenant_id, placed.key)
  select array_agg(placed.id) into v_ids from placed;
  if v_ids is not null then
    perform tell_of_keys(v_ms);
  end if;
  return v_ids;
end
$$;

comment on function fairclaim_internal.hold_jobs(uuid[], uuid[], int[], smallint[], smallint[]) is
'Lets jobs that have a key wait until it has room; returns which.';
