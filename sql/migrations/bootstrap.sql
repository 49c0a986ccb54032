-- The two schemas, the list of applied migrations, and the lock that makes two installers take
-- turns (a table lock, not an advisory lock, which any login could hold). `fairclaim` has the
-- protocol, `fairclaim_internal` everything else: only the owner may look into it. Everything after
-- this runs as fairclaim_owner. Its name is written out here, since our_role() is not there yet.
do $schema$
declare
  v_schema text;
  v_owner oid;
begin
  foreach v_schema in array array['fairclaim', 'fairclaim_internal'] loop
    select pg_namespace.nspowner into v_owner
      from pg_catalog.pg_namespace where pg_namespace.nspname = v_schema;
    if v_owner = 'fairclaim_owner'::regrole then
      continue;
    elsif v_owner is not null then
      raise exception 'a schema % is there and does not belong to fairclaim_owner', v_schema
        using errcode = 'JQ007', detail = '{"field": "schema"}',
              hint = pg_catalog.format(
                'as its owner: alter schema %I rename to another name, and look at what is in it',
                v_schema);
    elsif not pg_catalog.has_database_privilege(
                current_user, pg_catalog.current_database(), 'CREATE') then
      raise exception '% may not create a schema in database %',
        current_user, pg_catalog.current_database()
        using errcode = 'JQ007', detail = '{"field": "database"}',
              hint = pg_catalog.format(
                'as its owner: grant create on database %I to %I',
                pg_catalog.current_database(), current_user);
    end if;
    begin
      execute pg_catalog.format('create schema %I authorization fairclaim_owner', v_schema);
    exception
      when duplicate_schema or unique_violation then null;      -- another installer was quicker
    end;
  end loop;
end
$schema$;

set local role fairclaim_owner;
set local search_path = pg_catalog, fairclaim_internal, pg_temp;
set local client_min_messages = warning;
set local check_function_bodies = off;
-- the installer may have a default tablespace in which the owner may not create
set local default_tablespace = '';
set local lock_timeout = '30s';

-- the global form: with `in schema` this statement would do nothing
alter default privileges revoke execute on functions from public;

do $list$
begin
  create table if not exists fairclaim_internal.migration (
    version int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default pg_catalog.clock_timestamp()
  );
exception
  when duplicate_table or unique_violation then null;
end
$list$;

-- installers take turns; readers of the version go on
lock table fairclaim_internal.migration in share row exclusive mode;
-- From here on a lock is given up soon: a request that comes after one that waits has to wait too,
-- those of workers as well. The whole transaction is then tried again: `fairclaim migrate` does
-- that by itself.
set local lock_timeout = '1s';
