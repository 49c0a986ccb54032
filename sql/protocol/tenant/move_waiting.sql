-- The wide row of a job says its queue, and is never updated: readers may rely on a row of `job`
-- that they have seen. So it is deleted and inserted with the same id in one statement, which
-- nobody can see half of. The row of `ready` or `scheduled` is the job's place: whoever has locked
-- it owns the job. It is taken first (skip locked); a row of `ready` gets a fresh place in the
-- other queue, at the end of its tenant's line; one of `scheduled` stays, and its tick finds the
-- new queue. Lock order: ready, scheduled, each skip locked, then `job` rows that only the owner of
-- a place touches.
create or replace function fairclaim.move_waiting(
  p_tenant_id uuid,
  p_queue text,
  p_to_queue text,
  p_type text default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, moved int, passed int, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_rows ready[];
  v_later uuid[];
begin
  perform check_queue(p_queue);
  perform check_queue(p_to_queue, 'p_to_queue');
  if p_queue = p_to_queue then
    perform refuse('JQ004', 'p_to_queue', 'must be another queue than p_queue');
  elsif current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'move_waiting needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(p_tenant_id, p_queue, p_type, null, null, p_after, p_limit) step;
  with pending as materialized (
    select place.ctid
      from unnest(v_ids) asked(id)
     cross join lateral (
       select ready.ctid from ready
        where ready.tenant_id = p_tenant_id and ready.id = asked.id
          and (ready.lane_id >> 32) = any (array[0, lane_group(p_queue)])
          for update skip locked) place),
  gone as (
    delete from ready where ready.ctid = any (array(select pending.ctid from pending))
    returning ready.*)
  select array_agg(gone.*::ready order by gone.seq) into v_rows from gone;
  v_later := array(
    select scheduled.id from scheduled where scheduled.id = any (v_ids) for update skip locked);
  v_ids := v_later || array(select back.id from unnest(v_rows) back);
  with old as (
    delete from job where job.tenant_id = p_tenant_id and job.id = any (v_ids) returning job.*)
  insert into job (id, tenant_id, queue, type, priority, max_attempts,
                   timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
  select old.id, old.tenant_id, p_to_queue, old.type, old.priority, old.max_attempts,
         old.timeout, old.run_at, old.created_at, old.payload, old.tags, old.metadata,
         old.key, old.keep_order
    from old;
  moved := cardinality(v_ids);
  if v_rows is not null then
    perform to_ready(
      array(select back.tenant_id from unnest(v_rows) back order by back.seq),
      array(select back.id from unnest(v_rows) back order by back.seq),
      array(select back.attempts from unnest(v_rows) back order by back.seq),
      array(select back.attempts_left from unnest(v_rows) back order by back.seq),
      array(select back.lost from unnest(v_rows) back order by back.seq),
      array(select back.watched from unnest(v_rows) back order by back.seq));
    perform wake(fairclaim.clock());
  end if;
  passed := (select count(*) from tenant_jobs(
                    p_tenant_id, p_queue, p_type, null, null, p_after, p_limit) step
              cross join lateral status_of(p_tenant_id, step.ids) stands
              where step.ids <> '{}' and stands.status in ('pending', 'scheduled')
                and (next is null or stands.id <= next));
  if moved > 0 then
    perform note_operation('move_waiting', p_tenant_id, p_queue, p_why, moved);
  end if;
  return next;
end
$$;

comment on function fairclaim.move_waiting(uuid, text, text, text, uuid, int, text) is
'Moves what waits of one tenant, pending or delayed, from one queue to another, in steps, for operators. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first, whatever their status; go on with p_after = next until next is null. Ids, attempts and history stay; a moved job stands behind what its tenant has waiting in the other queue. Quotas do not refuse it. passed: jobs that another transaction holds at this moment; call again from the start for them. What runs is left. p_why: for the audit table.
Errors: JQ002, JQ004 (also outside READ COMMITTED).';

grant execute on function fairclaim.move_waiting(uuid, text, text, text, uuid, int, text)
  to fairclaim_operator;
