-- The list of migrations, which only the owner reads, so that a client can compare checksums without migrating.
create or replace function fairclaim.doctor_migrations() returns table (version int, name text, checksum text)
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$ select m.version, m.name, m.checksum from migration m order by m.version $$;

comment on function fairclaim.doctor_migrations() is
'The migrations applied to this database, with the checksums of their texts, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_migrations() to fairclaim_operator, fairclaim_observer;
