-- Ranges of ids and retention: what dispatch needs ahead, what should have gone, and what cannot
-- go. Reads tables of a few dozen rows, and looks up one finished job. Locks nothing.
create or replace function fairclaim_internal.findings_of_retention()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with moment as materialized (
    select fairclaim.clock() as now_at, range_width() as width),
  state as materialized (
    select extract(epoch from moment.width)::float8 as width,
           extract(epoch from setting.retention)::float8 as kept,
           block.ends_at is not null as is_covered,
           (select count(*) from id_range) as ranges,
           (select count(*) from id_range span
             where span.starts_at > moment.now_at + 5 * moment.width) as far,
           extract(epoch from coalesce(
             block.ends_at,
             (select max(span.ends_at) from id_range span where span.ends_at <= moment.now_at),
             (select min(span.starts_at) from id_range span)) - moment.now_at)::float8 as ahead,
           extract(epoch from moment.now_at - setting.retention
             - (select finished.completed_at from finished order by finished.id limit 1))::float8
             as job_overdue,
           extract(epoch from moment.now_at - setting.retention
             - (select min(span.ends_at) from id_range span
                 where span.ends_at < moment.now_at - setting.retention
                   and span.kept_at is null))::float8 as range_overdue,
           extract(epoch from moment.now_at
             - (select nullif(place.rest_until, '-infinity') from prune_place place
                 where not place.asked))::float8 as pruned_ago
      from moment cross join setting cross join lateral range_block(moment.now_at) block),
  -- A job goes later than its retention, by a third of it, when its range could not be dropped; a
  -- range by its own width. Workers look every minute: after a day more, none of them does.
  overdue as (
    select coalesce(
             case when state.job_overdue - state.kept / 3 > 86400
                  then state.job_overdue - state.kept / 3 end,
             case when state.range_overdue > greatest(state.width, 86400)
                  then state.range_overdue end) as late
      from state),
  fault as (
    select count(*), (array_agg(fault.id order by fault.at desc))[1:5] as ids,
           (array_agg(fault.sqlstate order by fault.at desc))[1] as sqlstate
      from prune_fault fault),
  -- Beyond 64, new ranges are so wide that their number hardly grows; each costs every call locks.
  ranges as (
    select case when state.ahead is null or not state.is_covered then 'error'
                when state.ahead < state.width then 'warning'
                when state.far > 0 then 'note'
                when state.ranges > 64 then 'warning' else 'ok' end as level,
           case when state.ahead is null then 'there is no range of ids'
                when not state.is_covered and state.ahead <= 0
                then format('ranges of ids ended %s ago; new jobs pile up in the last one',
                            span(state.ahead))
                when not state.is_covered
                then format('the clock is %s before the first range; new jobs pile up there',
                            span(state.ahead))
                when state.ahead < state.width
                then format('ranges of ids reach only %s ahead', span(state.ahead))
                when state.far > 0
                then format('%s of %s lie far ahead: the clock was wrong when they were made',
                            state.far, state.ranges)
                when state.ranges > 64
                then format('there are %s; each costs every claim and dispatch locks', state.ranges)
                else format('%s, which reach %s ahead', state.ranges, span(state.ahead))
                end as seen,
           case when state.ahead is null then 'run `fairclaim migrate`'
                when not state.is_covered or state.ahead < state.width
                then 'ticks make them ahead: see `ticks`. If ticks run, the server''s log has what '
                     || 'fails, and a transaction may hold a lock on fairclaim_internal.job'
                when state.far > 0
                then 'they go by themselves when they are empty, and are in the way of nothing '
                     || 'until '
                     || 'then'
                when state.ranges > 64
                then 'jobs that wait for long keep them (`fairclaim jobs list --status scheduled`)'
                     || ', or a transaction that reads fairclaim_internal.job and stays open: see '
                     || '`long_transaction`' end as advice
      from state)
  select ranges.level, 'ranges', ranges.seen, ranges.advice from ranges
   union all
  select case when late is null then 'ok' else 'warning' end, 'retention',
         format('finished jobs are kept for %s', span(state.kept))
         || coalesce(', and some should have gone ' || span(late) || ' ago; '
                     || coalesce('prune() last worked ' || span(state.pruned_ago) || ' ago',
                                 'prune() has never worked'), ''),
         case when late is not null
              then 'call `select * from fairclaim.drop_ranges()` and `select * from '
                   || 'fairclaim.prune()` every minute or so (workers do). If they run, see '
                   || '`undeletable` and `long_transaction`: a range that is being read is '
                   || 'emptied and not dropped' end
    from state cross join overdue
   union all
  select 'error', 'retention', 'the settings are gone',
         'its row in fairclaim_internal.setting was deleted: restore it'
   where not exists (select from state)
   union all
  select case when fault.count = 0 then 'ok' else 'warning' end, 'undeletable',
         case when fault.count = 0 then 'no job was found that cannot be deleted'
              else format('%s past retention that cannot be deleted (%s): %s',
                          counted(fault.count, 'job'), coalesce(fault.sqlstate, '?'),
                          array_to_string(fault.ids, ', ')) end,
         case when fault.count > 0
              then 'a trigger or a foreign key of yours on fairclaim_internal.job, finished or '
                   || 'attempt_error refuses it: the server''s log has its message. They are tried '
                   || 'again every hour' end
    from fault
$$;

comment on function fairclaim_internal.findings_of_retention() is
'Finds ranges of ids that end soon or are too many, finished jobs that should have gone, and jobs
that cannot be deleted.';
