-- The step `stats` of tick: every 5 s at most, and only in a tick that works anyway. Where a
-- refresh is left out since the last one is too young, or sees jobs that run, it owes one more
-- (stats_owed): so what has ended is told although nothing happens afterwards, and then ticks are
-- quiet. A lock that is not free leaves it to the next refresh.
create or replace function fairclaim_internal.refresh_stats(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_last bigint := coalesce(pg_sequence_last_value('stats_at'), 0);
  v_mask_before int := coalesce(pg_sequence_last_value('stats_mask'), 0);
  v_is_known boolean := v_last > 0 and v_last < millis(p_now);
  v_prev timestamptz := case when v_is_known then to_timestamp(v_last / 1000.0)
                             else p_now - interval '1 minute' end;
  v_runs record;
  v_flows record;
begin
  perform setval('stats_at', greatest(0, millis(p_now))), setval('stats_owed', 1);
  v_runs := running_mask();
  v_flows := note_flows(p_now, v_prev,
    case when v_is_known then least(extract(epoch from p_now - v_prev), 15) else 0 end,
    v_runs.mask, v_mask_before);
  perform note_waiting(p_now, v_flows.queues, v_flows.tenants);
  perform setval('stats_mask', v_runs.mask), setval('stats_owed', (v_runs.jobs > 0)::int);
exception
  when lock_not_available then null;
end
$$;

comment on function fairclaim_internal.refresh_stats(timestamptz) is
'Refreshes the figures that tenant_stats and queue_stats tell.';
