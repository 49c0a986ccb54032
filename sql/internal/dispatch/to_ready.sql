-- Puts jobs that come back (retry, release, lost lease, promotion) into a lane again; its key comes
-- from `job`. The order of the join is pinned: each job is looked up by its key. Outside READ
-- COMMITTED, where no lane may be chosen (I3), they become due at once, and the next tick places
-- them. Those that have a key and no slot of it wait in `held`. Returns how many are in a lane.
create or replace function fairclaim_internal.to_ready(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[],
  p_watched boolean[],
  p_admitted boolean default false            -- surely none of them has to wait for its key
) returns int
language plpgsql
as $$
declare
  v_rows ready[];
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_held uuid[] := '{}';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select fairclaim.clock(), back.id, back.tenant_id, back.attempts, back.attempts_left,
           back.lost, back.watched
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost, p_watched)
           back(tenant_id, id, attempts, attempts_left, lost, watched);
    return 0;
  end if;
  if not p_admitted and true = any (p_watched) then
    v_held := coalesce(hold_jobs(p_tenants, p_ids, p_attempts, p_left, p_lost), '{}');
  end if;
  with item as materialized (
    select back.*, known.queue, known.type, known.priority
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost, p_watched) with ordinality
           back(tenant_id, id, attempts, attempts_left, lost, watched, ordinal)
     cross join lateral (
       select job.queue, job.type, job.priority from job
        where job.tenant_id = back.tenant_id and job.id = back.id offset 0) known
     where back.id <> all (v_held)),
  kind as materialized (
    select met.*, row_number() over () as number
      from (select distinct item.queue, item.type, item.priority from item) met)
  select (select array_agg(row (kind.number, item.ordinal, item.id, item.tenant_id, item.attempts,
                                item.attempts_left, item.lost, item.watched)::ready)
            from item
            join kind on kind.queue = item.queue and kind.type = item.type
                     and kind.priority = item.priority),
         array_agg(kind.queue order by kind.number),
         array_agg(kind.type order by kind.number),
         array_agg(kind.priority order by kind.number)
    into v_rows, v_queues, v_types, v_priorities
    from kind;
  if v_rows is null then
    return 0;
  end if;
  return into_lanes(
    v_rows, v_queues, v_types, v_priorities, '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim_internal.to_ready(uuid[], uuid[], int[], smallint[], smallint[],
    boolean[], boolean) is
'Puts jobs that come back (retry, release, lost lease, due) into lanes, by way of the next tick outside READ COMMITTED.';
