-- The schema, the list of applied migrations, and the lock that makes two installers take turns (a table lock, not an
-- advisory lock: anybody could hold that one). Everything after this runs as fairclaim_owner.
do $schema$
begin
  if not exists (select from pg_catalog.pg_namespace n where n.nspname = 'fairclaim') then
    if not pg_catalog.has_database_privilege(current_user, pg_catalog.current_database(), 'CREATE') then
      raise exception '% may not create a schema in database %', current_user, pg_catalog.current_database()
        using errcode = 'JQ007',
              hint = pg_catalog.format('as its owner: grant create on database %I to %I', pg_catalog.current_database(), current_user);
    end if;
    create schema fairclaim authorization fairclaim_owner;
  elsif not exists (select from pg_catalog.pg_namespace n where n.nspname = 'fairclaim' and n.nspowner = 'fairclaim_owner'::regrole) then
    raise exception 'a schema fairclaim is there and does not belong to fairclaim_owner'
      using errcode = 'JQ007', hint = 'as its owner: alter schema fairclaim rename to another name, and look at what is in it';
  end if;
exception
  when duplicate_schema or unique_violation then null;            -- somebody else made it just now
end
$schema$;

set local role fairclaim_owner;
set local client_min_messages = warning;
set local check_function_bodies = off;
-- whoever installs may have a tablespace of his own, in which the owner may not create
set local default_tablespace = '';
set local lock_timeout = '30s';

-- the global form: with `in schema` this statement would do nothing
alter default privileges revoke execute on functions from public;

do $list$
begin
  create table if not exists fairclaim.migration (
    version int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default pg_catalog.clock_timestamp()
  );
exception
  when duplicate_table or unique_violation then null;
end
$list$;

-- installers take turns; who reads the version goes on
lock table fairclaim.migration in share row exclusive mode;
-- From here on a lock is given up soon: whoever comes after a request that waits has to wait too, workers as well. The whole
-- transaction is then tried again: `fairclaim migrate` does that by itself.
set local lock_timeout = '1s';
