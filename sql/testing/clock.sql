-- For test databases only: a clock that can be moved. Never part of an installation.
create table fairclaim_internal.test_clock (shift interval not null);
insert into fairclaim_internal.test_clock values ('0');
select fairclaim_internal.secure_table('test_clock');

create or replace function fairclaim.clock() returns timestamptz
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$ select pg_catalog.clock_timestamp() + t.shift from fairclaim_internal.test_clock t $$;
