-- How far the counter of transactions has come. Reads catalogs only, so that a login without a role
-- of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_age()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  -- the server forces vacuum at 200 million and stops at two billion: halfway, something is wrong
  select case when oldest.age > 1000000000 then 'error' else 'ok' end, 'wraparound',
         format('the oldest transaction id of this database is %s million old',
                oldest.age / 1000000),
         case when oldest.age > 1000000000
              then 'end old transactions and slots and run vacuum now: the server stops accepting '
                   || 'writes at two billion' end
    from (select age(ours.datfrozenxid) as age from pg_database ours
           where ours.datname = current_database()) oldest
$$;

comment on function fairclaim_internal.findings_of_age() is
'Finds a database that comes near the end of its transaction ids.';
