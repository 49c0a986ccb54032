-- By Little's law: how many run on average, by how many end in a second. Both sums are of the same
-- hour, so it is the seconds by the jobs. Null where nothing has ended yet.
create or replace function fairclaim_internal.queue_mean(p_queue text, p_now timestamptz)
returns float8
language sql stable
as $$
  select fairclaim_internal.window_sum(stat.hour, 5, stat.hour_slot, 3600, p_now)
         / nullif(fairclaim_internal.window_sum(stat.hour, 3, stat.hour_slot, 3600, p_now), 0)
    from fairclaim_internal.stat
   where stat.queue = p_queue and stat.whole
     and stat.tenant_id = '00000000-0000-0000-0000-000000000000'
$$;

comment on function fairclaim_internal.queue_mean(text, timestamptz) is
'The mean seconds that a job of this queue ran in the last hour.';
