-- What a worker should do after its call: read from sequences, which costs next to nothing. Nothing becomes claimable by itself: a dispatch
-- tells, and all else is done by a tick; so what a claim that was not filled has to wait for is the next tick, which comes every second
-- while there is work. Tables are looked at only where a sequence says that there may be something: wishes to cancel when one was
-- made within a minute (of many the newest 100; heartbeats tell of all), and jobs that run alone when a tick has seen a lane of
-- such within a minute. A time more than a minute ahead is of a clock that was wrong.
create or replace function fairclaim_internal.next_step(
  p_worker_id text,
  p_queues text[],
  p_types text[],
  p_is_filled boolean,                        -- the claim brought all that it asked for, or there was none
  p_is_active boolean,                        -- something was claimed or settled
  out next_claim_in float8,
  out tick_in float8,
  out prune_due boolean,
  out cancelled uuid[],
  out suspect_waiting boolean
)
language plpgsql
as $$
declare
  v_ms bigint := millis(fairclaim.clock());
  v_tick bigint := coalesce(pg_sequence_last_value('tick_at'), 0);
begin
  if p_is_active then
    v_tick := least(v_tick, coalesce(pg_sequence_last_value('round_at'), 0) + 1000);
  end if;
  tick_in := case when v_tick between v_ms and v_ms + 60000 then (v_tick - v_ms)::float8 / 1000 else 0 end;
  next_claim_in := case when p_is_filled then 0 else greatest(tick_in, 0.05) end;
  prune_due := coalesce(pg_sequence_last_value('pruned_at'), 0) not between v_ms - case when p_is_active then 60000 else 600000 end and v_ms;
  suspect_waiting := false;
  if pg_sequence_last_value('wished_at') between v_ms - 60000 and v_ms + 60000 then
    cancelled := (select array_agg(c.id)
                    from (select w.id from cancel_request w order by w.request_id desc limit 100) c
                   cross join lateral (select r.worker_id from running r where r.id = c.id offset 0) r
                   where r.worker_id = p_worker_id);
  end if;
  if pg_sequence_last_value('suspects_at') between v_ms - 60000 and v_ms + 60000 then
    suspect_waiting := exists (
      select from lane l
       where l.alone and (p_queues is null or l.queue = any (p_queues)) and (p_types is null or l.type = any (p_types))
         and exists (select from ready y where y.lane_id = l.lane_id and y.seq >= l.floor)
         and not exists (select from queue q where q.name = l.queue and q.paused_at is not null));
  end if;
end
$$;

comment on function fairclaim_internal.next_step(text, text[], text[], boolean, boolean) is
'What settle_and_claim answers in its last row: when to claim, to tick and to prune, which jobs of the worker to stop, and whether a job waits that is to run alone.';
