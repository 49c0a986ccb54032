-- Drops one range, in a subtransaction that gives all its locks back when it fails. First it locks
-- the three tables of the range against writers: a retry that commits after a look would lose its
-- job. Readers and dispatch go on meanwhile. Then it looks for what is in the way, and only when it
-- finds nothing it asks for the exclusive locks on the three parents. For these it waits as long as
-- lock_timeout says, so that what comes later waits no longer; drop_ranges() sets it to 5 ms.
--
-- A range ahead of the clock goes only when it is empty. One that cannot be dropped, since an event
-- trigger refuses it, say, is reported in the server's log and stays; prune() deletes its rows.
create or replace function fairclaim_internal.drop_range(
  p_starts_at timestamptz,
  p_before timestamptz
) returns int
language plpgsql
as $$
declare
  v_job text := range_name('job', p_starts_at);
  v_finished text := range_name('finished', p_starts_at);
  v_error text := range_name('attempt_error', p_starts_at);
  v_from uuid := id_at(millis(p_starts_at));
  v_to uuid := (
    select id_at(millis(id_range.ends_at)) from id_range
     where id_range.starts_at = p_starts_at);
  v_empty boolean;
  v_last_end timestamptz;
  v_asks boolean := false;                    -- for locks on the parents, which all sessions use
begin
  execute format(
    'lock table fairclaim_internal.%I, fairclaim_internal.%I, fairclaim_internal.%I '
      'in share row exclusive mode', v_job, v_finished, v_error);
  execute format('select not exists (select from fairclaim_internal.%I)', v_job) into v_empty;
  if not v_empty then
    if p_starts_at > fairclaim.clock() or range_waits(v_from, v_to) then
      update id_range set kept_at = fairclaim.clock() where id_range.starts_at = p_starts_at;
      return 0;
    end if;
    execute format(
      'select max(finished.completed_at) from fairclaim_internal.%I finished', v_finished)
      into v_last_end;
    if v_last_end >= p_before then
      update id_range set last_end = v_last_end where id_range.starts_at = p_starts_at;
      return 0;
    end if;
  end if;
  v_asks := true;
  if not rehearse_drop() then
    return -2;
  end if;
  lock table only job, only finished, only attempt_error in access exclusive mode;
  execute format(
    'drop table fairclaim_internal.%I, fairclaim_internal.%I, fairclaim_internal.%I',
    v_job, v_finished, v_error);
  delete from id_range where id_range.starts_at = p_starts_at;
  return 1;
exception
  when lock_not_available or deadlock_detected or undefined_table then
    return case when v_asks then -2 else -1 end;      -- in use, or another session dropped it
  when others then
    raise warning 'fairclaim: the range of ids from % cannot be dropped (SQLSTATE %): %',
        p_starts_at, sqlstate, sqlerrm
      using hint = 'prune() deletes its rows meanwhile'
        || coalesce('; see the event triggers ' || event_triggers(), '');
    return -2;
end
$$;

comment on function fairclaim_internal.drop_range(timestamptz, timestamptz) is
'Drops one range of ids from job, finished and attempt_error: 1. 0 if a job of it has not ended before p_before, -1 if another session uses its tables, -2 if their parents are in use, or if it cannot be dropped at all now (rehearse_drop, or an error, which is warned of).';
