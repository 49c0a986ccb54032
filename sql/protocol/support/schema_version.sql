create or replace function fairclaim.schema_version() returns int
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$ select coalesce(max(migration.version), 0) from migration $$;

comment on function fairclaim.schema_version() is
'The number of the newest migration applied. A client that needs another one refuses to work (JQ006).';

grant execute on function fairclaim.schema_version()
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;
