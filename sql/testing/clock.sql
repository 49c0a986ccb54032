-- For test databases only: a clock that can be moved. Never part of an installation.
create table fairclaim.test_clock (shift interval not null);
insert into fairclaim.test_clock values ('0');
select fairclaim.secure_table('test_clock');

create or replace function fairclaim.clock() returns timestamptz
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set row_security = on
as $$ select pg_catalog.clock_timestamp() + t.shift from fairclaim.test_clock t $$;
