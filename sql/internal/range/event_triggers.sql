-- Event triggers of the database run with every range that is made or dropped. Not ours, and they may fail or be slow: so messages name them.
create or replace function fairclaim_internal.event_triggers() returns text
language sql stable
as $$
  select string_agg(e.evtname, ', ' order by e.evtname)
    from pg_catalog.pg_event_trigger e
   where e.evtenabled not in ('D', 'R') and e.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
$$;

comment on function fairclaim_internal.event_triggers() is 'The names of the event triggers that run when tables are made or dropped; null where there are none.';
