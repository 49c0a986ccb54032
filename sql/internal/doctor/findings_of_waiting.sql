-- Types that no worker seems to want, and the longest wait: a sample, see longest_waits.
create or replace function fairclaim_internal.findings_of_waiting()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  -- a job that is due for ten minutes waits long, and its type is unclaimed when none of it runs
  with waiting as materialized (
    select pair.queue, pair.type, pair.paused, pair.runs, pair.waits as seconds
      from longest_waits() pair),
  unclaimed as (
    select array_agg(format('%s in %s (for %s)', pair.type, pair.queue, span(pair.seconds))
                     order by pair.seconds desc) as names
      from waiting pair where not pair.paused and not pair.runs and pair.seconds > 600),
  oldest as (
    select count(*) as pairs,
           coalesce(max(pair.seconds) filter (where not pair.paused), 0) as seconds
      from waiting pair)
  select 'warning', 'unclaimed_types',
         'jobs wait of which none runs: ' || some_of(unclaimed.names),
         'start a worker of that queue with a handler for that type, or cancel the jobs'
    from unclaimed where unclaimed.names is not null
   union all
  select case when oldest.seconds > 600 then 'note' else 'ok' end, 'backlog',
         case when oldest.pairs = 0 then 'nothing waits'
              else format('of the jobs looked at the oldest has waited for %s',
                          span(oldest.seconds)) end,
         case when oldest.seconds > 600
              then 'add workers, or raise their concurrency, if that is too long' end
    from oldest
$$;

comment on function fairclaim_internal.findings_of_waiting() is
'Finds types of which jobs wait and none runs, and how long the oldest waiting job has been due.';
