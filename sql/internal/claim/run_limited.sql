-- Starts attempts in a database with limits: each row of `running` says whether a limit counts it,
-- and, where a limit of its queue does, in which queue. p_queues: the queue of each job.
create or replace function fairclaim_internal.run_limited(
  p_jobs fairclaim_internal.ready[],
  p_queues text[],
  p_token uuid,
  p_expires_at timestamptz,
  p_worker_id text
) returns void
language plpgsql
as $$
declare
  v_own boolean := (default_limits('')).is_any_own;
begin
  with served as materialized (
    select named.queue, lane_group(named.queue) as queue_group,
           coalesce(usual.by_any, false) as by_any, coalesce(usual.by_queue, false) as by_queue
      from (select distinct given.queue collate "C" as queue
              from unnest(p_queues) given(queue)) named
     cross join lateral (
       select bool_or(true) as by_any, bool_or(bound.queue <> '') as by_queue
         from running_limit bound
        where bound.tenant_id = '00000000-0000-0000-0000-000000000000'
          and bound.queue = any (array['', named.queue]) and bound.subject <> 'tenant') usual)
  insert into running (id, tenant_id, lease_token, lease_expires_at, attempt, attempts_left, lost,
                       queue_group, watched, limited, worker_id)
  select taken.id, taken.tenant_id, p_token, p_expires_at, taken.attempts + 1, taken.attempts_left,
         taken.lost,
         case when served.by_queue or own.by_queue then served.queue_group else 0 end,
         taken.watched,
         served.by_any or coalesce(own.by_any, false), p_worker_id
    from unnest(p_jobs) with ordinality
         taken(lane_id, seq, id, tenant_id, attempts, attempts_left, lost, watched, place)
    join served on served.queue = p_queues[taken.place] collate "C"
   cross join lateral (
     select bool_or(true) as by_any, bool_or(bound.queue <> '') as by_queue
       from running_limit bound
      where v_own and bound.tenant_id = taken.tenant_id and bound.subject = 'tenant'
        and bound.queue in ('', served.queue)) own;
end
$$;

comment on function fairclaim_internal.run_limited(fairclaim_internal.ready[], text[], uuid,
    timestamptz, text) is
'Puts claimed jobs into `running`, marked as limits count them.';
