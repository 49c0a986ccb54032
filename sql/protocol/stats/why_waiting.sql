-- It only reads, by keys: the job, its narrow row, its lane, and at most 1,000 rows that are ahead
-- of it. A job that moves at this moment may tell of both places. Without a tenant, an operator's
-- call looks for the job in the narrow tables first (find_jobs).
create or replace function fairclaim.why_waiting(p_tenant_id uuid, p_id uuid) returns table (
  reason text, detail text, queue text, type text, "position" int, at_least boolean, due_in float8,
  limit_kind text, max_running int, running int
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_tenant uuid;
  v_job record;
  v_place record;
  v_lane lane;
  v_ahead int;
  v_rate float8;
  v_is_paused boolean;
begin
  if p_id is null then
    perform refuse('JQ004', 'p_id', 'is missing', 'give the id of a job');
  end if;
  v_tenant := check_scope(p_tenant_id, array[p_id]);
  v_tenant := coalesce(
    v_tenant, (select known.tenant_id from find_jobs(null, array[p_id]) known limit 1));
  select job.queue, job.type into v_job
    from job where job.tenant_id = v_tenant and job.id = p_id;
  if not found then
    perform refuse('JQ005', 'p_id', 'is no job of this tenant',
      'name the tenant that it was dispatched for; ended jobs are kept for a time only');
  end if;
  queue := v_job.queue; type := v_job.type; at_least := false;

  select finished.status, finished.completed_at into v_place
    from finished where finished.id = p_id and finished.tenant_id = v_tenant;
  if found then
    reason := 'finished';
    detail := format('it %s %s ago',
      case v_place.status when 'completed' then 'completed' when 'failed' then 'failed'
                          else 'was cancelled' end,
      span(extract(epoch from v_now - v_place.completed_at)::float8));
    return next;
    return;
  end if;
  select running.attempt into v_place from running
   where running.id = p_id and running.tenant_id = v_tenant;
  if found then
    reason := 'running';
    detail := format('a worker runs it: attempt %s', v_place.attempt);
    return next;
    return;
  end if;
  select scheduled.run_at, scheduled.attempts into v_place from scheduled
   where scheduled.id = p_id and scheduled.tenant_id = v_tenant;
  if found then
    reason := 'scheduled';
    due_in := greatest(extract(epoch from v_place.run_at - v_now), 0);
    detail := case when v_place.attempts > 0 then format('attempt %s is over, and it is ',
                                                         v_place.attempts) else '' end
      || case when due_in > 0 then 'due in ' || span(due_in)
              else 'due: the next tick lets workers have it' end;
    return next;
    due_in := null;
  end if;

  return query
  select 'queue_paused', format('queue %s has been paused for %s', queue.name,
           span(extract(epoch from v_now - queue.paused_at)::float8)),
         v_job.queue, v_job.type, null::int, false, null::float8, null, null::int, null::int
    from queue where queue.name = v_job.queue and queue.paused_at is not null;
  return query
  select 'tenant_paused', 'the tenant is paused' || coalesce(', for ' || span(
           extract(epoch from paused.until - v_now)::float8) || ' more', ''),
         v_job.queue, v_job.type, null::int, false, null::float8, null, null::int, null::int
    from bound paused
   where paused.tenant_id = v_tenant and paused.queue = '' and paused.kind = 'paused'
     and paused.subject = 'tenant' and (paused.until is null or paused.until > v_now);
  v_is_paused := found;
  if exists (select from worker where worker.silent_until > v_now)
     and not is_handled(v_job.queue, v_job.type) then
    reason := 'unhandled';
    detail := format('no worker that is known handles type %s in queue %s', v_job.type,
      v_job.queue);
    return next;
  end if;
  return query
  select case when bound.kind = 'queue' then 'queue_limit' else 'tenant_limit' end,
         format(case when not bound.active then
                  'a new limit lets nothing begin until the next tick' else case bound.kind
                  when 'tenant' then 'the tenant is at its limit, %s of %s running'
                  when 'default' then 'the tenant is at the default limit, %s of %s running'
                  when 'tenant_queue' then
                    'the tenant is at its limit in this queue, %s of %s running'
                  when 'default_queue' then
                    'the tenant is at the default limit of this queue, %s of %s running'
                  else 'the queue is at its limit, %s of %s running' end end,
                bound.running, bound.max_running),
         v_job.queue, v_job.type, null::int, false, null::float8, bound.kind, bound.max_running,
         bound.running
    from limits_in_force(v_tenant, v_job.queue, v_now) bound
   where (bound.running >= bound.max_running or not bound.active)
     and not (v_is_paused and bound.kind = 'tenant');
  return query
  select case when bound.kind = 'queue' then 'queue_rate' else 'tenant_rate' end,
         format('the rate of %s job%s in %s is used up: due in %s', bound.units,
                case when bound.units = 1 then '' else 's' end, span(bound.period),
                span(bound.due_in)),
         v_job.queue, v_job.type, null::int, false, bound.due_in, bound.kind, null::int, null::int
    from limits_in_force(v_tenant, v_job.queue, v_now) bound
   where bound.due_in > 0;

  select held.key, held.seq into v_place from held
   where held.id = p_id and held.tenant_id = v_tenant;
  if found then
    v_ahead := (select count(*) from (
                  select from held
                   where held.tenant_id = v_tenant and held.key = v_place.key
                     and held.seq < v_place.seq
                   limit 1001) ahead);
    reason := 'key';
    "position" := least(v_ahead, 1000);
    at_least := v_ahead > 1000;
    detail := 'waits until another job of its key has ended' || case
      when v_ahead = 0 then '; it is the next one'
      else format(', behind %s%s more', "position", case when at_least then ' or' else '' end) end;
    return next;
    return;
  end if;
  select ready.lane_id, ready.seq into v_place from ready
   where ready.tenant_id = v_tenant and ready.id = p_id
     and (ready.lane_id >> 32) = any (array[0, lane_group(v_job.queue)])
   limit 1;
  if not found then
    return;
  end if;
  select * into v_lane from lane where lane.lane_id = v_place.lane_id;
  if v_lane.alone then
    reason := 'alone';
    detail := 'its workers died twice, so it waits for one that runs nothing beside it';
    return next;
    return;
  end if;
  v_ahead := jobs_ahead(v_lane, v_place.seq);
  v_rate := claim_rate(v_job.queue,
    coalesce(v_lane.tenant_id, '00000000-0000-0000-0000-000000000000'), v_now);
  reason := 'behind';
  "position" := least(v_ahead, 1000);
  at_least := v_ahead > 1000;
  due_in := case when v_ahead > 0 then v_ahead / v_rate end;
  detail := case
    when v_ahead = 0 then 'no job is ahead of it: the next worker that is free takes it'
    else format('behind %s%s job%s of %s', "position", case when at_least then ' or more' end,
                case when v_ahead = 1 then '' else 's' end,
                case when v_lane.tenant_id is null then 'the shared lane, of all tenants'
                     else 'this tenant' end) end
    || coalesce(', about ' || span(due_in) || ' at the rate of now', '');
  return next;
end
$$;

comment on function fairclaim.why_waiting(uuid, uuid) is
'Why a job waits, for producers and operators: a row for each reason that holds, the strongest first. p_tenant_id: whose job it is; null is the default tenant of the settings, and for operators whoever has it. reason:
`finished`, `running`: it waits for nothing. `scheduled`: it is due in due_in seconds. `queue_paused`, `tenant_paused`. `unhandled`: workers report (report_work), and none of those that live handles its type in its queue. `tenant_limit`, `queue_limit`: as many run as may; limit_kind says which limit it is (tenant, default, tenant_queue, default_queue, queue), with max_running and running. `tenant_rate`, `queue_rate`: the rate is used up, and a job may begin in due_in seconds. `alone`: its workers died twice. `key`: another job of its key runs or waits to run, and position more jobs of the key go before it. `behind`: position jobs go before it, 0 when none does; of its tenant when that has a lane of its own, else of all tenants; at_least: there are more. due_in is then an estimate from the claims of the last minute or hour, null when nothing is known.
detail says it in words. Reads at most 1,000 rows that are ahead. Errors: JQ002, JQ005 (not there, or another tenant''s).';

grant execute on function fairclaim.why_waiting(uuid, uuid)
  to fairclaim_producer, fairclaim_operator;
