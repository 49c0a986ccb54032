-- Event triggers of the database run with every range that is made or dropped. They are not part of
-- fairclaim, and may fail or be slow, so messages name them.
create or replace function fairclaim_internal.event_triggers() returns text
language sql stable
as $$
  select string_agg(pg_event_trigger.evtname, ', ' order by pg_event_trigger.evtname)
    from pg_catalog.pg_event_trigger
   where pg_event_trigger.evtenabled not in ('D', 'R')
     and pg_event_trigger.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
$$;

comment on function fairclaim_internal.event_triggers() is
'The names of the event triggers that run when tables are made or dropped; null where there are none.';
