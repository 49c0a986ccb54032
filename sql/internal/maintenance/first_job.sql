-- A slice of one job has failed in a step of tick: which job was it? Each branch finds it in the
-- order of the step itself, and with the locks that the step takes, so that it is the one which the
-- step took. What the step passes over (p_skip, locked rows) is passed over here.
create or replace function fairclaim_internal.first_job(
  p_step text,
  p_state fairclaim_internal.tick_state,
  p_skip uuid[]
) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  case p_step
    when 'promote' then                       -- promote_due: the job that is due first
      select scheduled.id into v_id from scheduled
       where scheduled.run_at >= p_state.sched_floor and scheduled.run_at <= p_state.at
         and scheduled.id <> all (p_skip)
       order by scheduled.run_at, scheduled.id limit 1 for update skip locked;
    when 'return' then                        -- return_expired: the lease that ended first
      select running.id into v_id from running
       where running.lease_expires_at < p_state.at and running.id <> all (p_skip)
       order by running.lease_expires_at, running.id limit 1 for update skip locked;
    when 'cancel' then                        -- end_cancelled: the oldest wish
      select cancel_request.id into v_id from cancel_request
       where cancel_request.id <> all (p_skip)
         and not exists (select from running where running.id = cancel_request.id offset 0)
       order by cancel_request.request_id limit 1;
    when 'keys' then                          -- admit_keys: first in the line of a noted key
      select first.id into v_id
        from (select note.tenant_id, note.key from key_note note
               where not note.is_prefix order by note.note_id limit 1) noted
       cross join lateral (
         select held.id from held
          where held.tenant_id = noted.tenant_id and held.key = noted.key
            and held.id <> all (p_skip)
          order by held.tenant_id, held.key, held.seq limit 1 for update skip locked) first;
    when 'renew' then                         -- renew_passed: a row below a floor
      select below.id into v_id
        from (select renewal.lane_id, min(renewal.next_seq) as next_seq,
                     max(renewal.end_seq) as end_seq
                from renewal group by renewal.lane_id) stretch
       cross join lateral (
         select ready.id from ready
          where ready.lane_id = stretch.lane_id and ready.seq >= stretch.next_seq
            and ready.seq < stretch.end_seq and ready.id <> all (p_skip)
          order by ready.lane_id, ready.seq limit 1 for update skip locked) below
       limit 1;
    when 'limits' then                        -- move_limited: a job of one who stays at a limit
      select misplaced.id into v_id
        from at_limit
       cross join lateral (
         select ready.id from ready
          where ready.tenant_id = at_limit.tenant_id and (ready.lane_id >> 32) < 0
            and ready.id <> all (p_skip)
            and exists (select from lane
                         where lane.lane_id = ready.lane_id and lane.tenant_id is null
                           and not lane.alone and at_limit.queue in ('', lane.queue))
            for update skip locked) misplaced
       where at_limit.is_stable and at_limit.at_limit_id > p_state.limit_slice
       order by at_limit.at_limit_id limit 1;
    when 'sweep' then                         -- sweep_ready: a row whose lane does not exist
      select ready.id into v_id from ready
       where ready.lane_id > p_state.sweep and ready.id <> all (p_skip)
         and not exists (select from lane where lane.lane_id = ready.lane_id offset 0)
       order by ready.lane_id, ready.seq limit 1 for update skip locked;
    else
      null;                                   -- the other steps take no jobs
  end case;
  return v_id;
end
$$;

comment on function fairclaim_internal.first_job(text, fairclaim_internal.tick_state, uuid[]) is
'The job that a step of tick would take first.';
