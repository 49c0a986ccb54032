-- Queues that are paused, the oldest pause first, at most 100.
create or replace function fairclaim_internal.findings_of_queues()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select case when paused.names is null then 'ok' else 'note' end, 'paused_queues',
         coalesce('nothing is claimed from ' || some_of(paused.names), 'none'),
         case when paused.names is not null then 'resume them when their jobs shall run' end
    from (select array_agg(format('%s (for %s)', stopped.name, span(
                   extract(epoch from fairclaim.clock() - stopped.paused_at)::float8))
                           order by stopped.paused_at, stopped.name) as names
            from (select queue.name, queue.paused_at from queue where queue.paused_at is not null
                   order by queue.paused_at, queue.name limit 100) stopped) paused
$$;

comment on function fairclaim_internal.findings_of_queues() is 'Finds queues that are paused.';
