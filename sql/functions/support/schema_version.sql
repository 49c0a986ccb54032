create or replace function fairclaim.schema_version() returns int
language sql stable security definer
set search_path = pg_catalog, pg_temp
set row_security = on
as $$ select coalesce(max(m.version), 0) from fairclaim.migration m $$;

comment on function fairclaim.schema_version() is
'The number of the newest migration applied. A client that needs another one refuses to work (JQ006).';
