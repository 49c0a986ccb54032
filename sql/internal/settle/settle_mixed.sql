-- Settles with any outcome, "lost" (tick only) among them. Looks at `running` by id, never through
-- a join whose other side could come first. Lock order: running -> (finished, attempt_error,
-- scheduled, ready: inserts only), then what job_ended locks.
create or replace function fairclaim_internal.settle_mixed(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results jsonb[],
  p_errors jsonb[],
  p_delays float8[]
) returns table (id uuid, attempts int, kind text, status text)
language plpgsql
-- joins the ended attempts with what was given for them, never `running` itself
set enable_hashjoin = on
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  -- else a tick places what waits again (to_ready)
  v_is_placed boolean := current_setting('transaction_isolation') = 'read committed';
  v_places bigint[];                          -- which of the given ones were accepted
  v_statuses text[];
  v_tenants uuid[];                           -- of those that wait again at once, as the next five
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
  v_again timestamptz;                        -- when the first of them is due again
  v_freed uuid[];                             -- tenants under whose limits there is room now
  v_ended uuid[];                             -- watched jobs that have ended
  v_parked uuid[];                            -- and those that wait for their next attempt
begin
  with given as (
    select distinct on (item.id, item.attempt, item.token) item.*
      from unnest(p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays)
           with ordinality
           item(id, attempt, token, outcome, result, error, delay, place)
     order by item.id, item.attempt, item.token, item.place),
  held as materialized (
    delete from running
     where running.id = any (p_ids)
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select item.id, item.attempt, item.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    item(id, attempt, token)) then true end
    returning running.*),
  gone as materialized (
    select given.place, held.id, held.tenant_id, held.attempt, held.watched, held.limited,
           exists (select from cancel_request wish where wish.id = held.id) as is_cancel_requested,
           given.outcome, given.result, clip_error(given.error) as error, given.delay,
           case when given.outcome = 'lost' then held.worker_id else p_worker_id end as worker_id,
           (held.attempts_left - (given.outcome in ('retry', 'fail'))::int)::smallint
             as attempts_left,
           (held.lost + (given.outcome = 'lost')::int)::smallint as lost
      from held
      join given on given.id = held.id and given.attempt = held.attempt
                and given.token = held.lease_token),
  timed as materialized (        -- the pause before a retry doubles with every failure
    select gone.*,               -- the key to failures is in `job`
           coalesce(
             case when gone.outcome = 'release' then 0 else gone.delay end,
             case when gone.outcome = 'retry' then
               least(15 * 2 ^ least(
                   (select job.max_attempts from job
                     where job.tenant_id = gone.tenant_id and job.id = gone.id)
                   - gone.attempts_left - 1, 10), 3600)
               * (0.8 + random() * 0.4)
             else 0 end) as pause
      from gone),
  ended as materialized (
    select timed.*, case
        when timed.outcome = 'complete' then 'completed'
        when timed.outcome = 'fail' then 'failed'
        when timed.outcome = 'cancel' or timed.is_cancel_requested then 'cancelled'
        when timed.outcome = 'retry' and timed.attempts_left <= 0
             or timed.outcome = 'lost' and timed.lost >= 3 then 'failed'
        when timed.pause <= 0 and v_is_placed then 'pending'
        else 'scheduled' end as status
      from timed),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select ended.id, ended.tenant_id, v_now, ended.attempt, ended.status, ended.worker_id,
           ended.result, ended.error
      from ended where ended.status in ('completed', 'failed', 'cancelled')),
  history as (
    insert into attempt_error (id, tenant_id, attempt, at, worker_id, error)
    select ended.id, ended.tenant_id, ended.attempt, v_now, ended.worker_id, ended.error
      from ended where ended.outcome in ('retry', 'fail', 'lost')),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select v_now + make_interval(secs => ended.pause), ended.id, ended.tenant_id, ended.attempt,
           ended.attempts_left, ended.lost, ended.watched
      from ended where ended.status = 'scheduled')
  select array_agg(ended.place), array_agg(ended.status),
         array_agg(ended.tenant_id) filter (where ended.status = 'pending'),
         array_agg(ended.id) filter (where ended.status = 'pending'),
         array_agg(ended.attempt) filter (where ended.status = 'pending'),
         array_agg(ended.attempts_left) filter (where ended.status = 'pending'),
         array_agg(ended.lost) filter (where ended.status = 'pending'),
         array_agg(ended.watched) filter (where ended.status = 'pending'),
         v_now + make_interval(secs => min(ended.pause) filter (where ended.status = 'scheduled')),
         array_agg(distinct ended.tenant_id) filter (where ended.limited),
         array_agg(ended.id) filter (where ended.watched
           and ended.status in ('completed', 'failed', 'cancelled')),
         array_agg(ended.id) filter (where ended.watched and ended.status = 'scheduled')
    into v_places, v_statuses, v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched,
         v_again, v_freed, v_ended, v_parked
    from ended;
  if v_ids is not null then
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_again) + 1000 then
    perform wake_before(v_now, v_again + interval '1 s');
  end if;
  if v_ended is not null or v_parked is not null then
    v_freed := v_freed || job_ended(v_ended, v_parked);
  end if;
  if v_freed is not null then
    perform leave_room(v_now, v_freed);
  end if;
  return query
  select answer.id, answer.attempt, answer.kind,
         case when answer.kind = 'settled' then answer.status
              when answer.kind = 'already' then
                case answer.outcome when 'complete' then 'completed' when 'fail' then 'failed'
                                    else 'cancelled' end end
    from (select item.id, item.attempt, item.outcome, item.place, accepted.status,
                 case when accepted.place is not null then 'settled'
                      else stale_kind(p_worker_id, item.id, item.attempt, item.outcome) end as kind
            from unnest(p_ids, p_attempts, p_outcomes)
                 with ordinality item(id, attempt, outcome, place)
            left join unnest(v_places, v_statuses) accepted(place, status)
              on accepted.place = item.place offset 0) answer
   order by answer.place;
end
$$;

comment on function fairclaim_internal.settle_mixed(text, uuid[], int[], uuid[], text[], jsonb[],
    jsonb[], float8[]) is
'Settles attempts with any mix of outcomes.';
