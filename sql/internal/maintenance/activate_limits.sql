-- A new limit is exact when all jobs that run under it are marked, and no claim is open that has
-- not seen it. So the tick that first sees it notes that (seen); when every claim that was open
-- then has ended, the running jobs are marked that it counts (marked). A limit of one tenant is
-- active then: none of its jobs was claimed meanwhile. Of the others jobs were, by claims that may
-- have counted before the marks, so they are active when those claims have ended as well. At most
-- 10,000 limits a tick. Locks rows of running_limit and of `running` (skip locked).
create or replace function fairclaim_internal.activate_limits(
  p_state fairclaim_internal.tick_state
) returns boolean
language plpgsql
set enable_seqscan = on
as $$
declare
  v_unmarked uuid[];                          -- tenants of running jobs that were locked
  v_active int;
begin
  update running_limit set active = true
   where running_limit.ctid = any (array(
     select ripe.ctid from running_limit ripe
      where not ripe.active and ripe.marked + 1 < p_state.oldest and ripe.marked < p_state.n
      limit 10000 for update skip locked));
  update running_limit set seen = p_state.n, seen_at = p_state.at
   where running_limit.ctid = any (array(
     select unseen.ctid from running_limit unseen
      where unseen.seen is null limit 10000 for update skip locked));
  if not exists (
       select from running_limit ripe
        where not ripe.active and ripe.marked is null
          and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n) then
    return false;
  end if;
  update running
     set limited = true,
         queue_group = case when running.queue_group < 0 then running.queue_group
                            else lane_group((
                              select job.queue from job
                               where job.tenant_id = running.tenant_id and job.id = running.id))
                       end
   where running.ctid = any (array(
     select unmarked.ctid from running unmarked
      where unmarked.queue_group = 0
        and exists (
              select from running_limit ripe
               where ripe.tenant_id
                     = any (array[unmarked.tenant_id, '00000000-0000-0000-0000-000000000000'])
                 and not ripe.active and ripe.marked is null
                 and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n)
        for update skip locked));
  v_unmarked := array(
    select distinct unmarked.tenant_id from running unmarked
     where unmarked.queue_group = 0
       and exists (
             select from running_limit ripe
              where ripe.tenant_id
                    = any (array[unmarked.tenant_id, '00000000-0000-0000-0000-000000000000'])
                and not ripe.active and ripe.marked is null
                and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n
                and (not unmarked.limited or ripe.queue = (
                       select job.queue from job
                        where job.tenant_id = unmarked.tenant_id and job.id = unmarked.id))));
  update running_limit set marked = p_state.n, active = running_limit.subject = 'tenant'
   where running_limit.ctid = any (array(
     select ripe.ctid from running_limit ripe
      where not ripe.active and ripe.marked is null
        and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n
        and case when ripe.subject = 'tenant' then ripe.tenant_id <> all (v_unmarked)
                 else v_unmarked = '{}' end
      limit 10000 for update skip locked));
  get diagnostics v_active = row_count;
  return v_active > 0;
end
$$;

comment on function fairclaim_internal.activate_limits(fairclaim_internal.tick_state) is
'Marks the jobs that run under new limits, and makes these exact. True if some got so far: jobs of its tenant may be claimed now.';
