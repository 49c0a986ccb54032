-- First of all: the installer's own path could put another `format` before the system's, and the
-- owner would run it.
set local search_path = pg_catalog, pg_temp;
-- A login that takes backups may have it off, and then no row of a table with forced row security
-- can be read or written.
set local row_security = on;

-- Roles belong to the whole cluster and none can log in. A deployment grants them to its login
-- roles. Created if missing; two installers at once are harmless. The installer needs CREATEROLE,
-- never superuser. The names stand here and in bootstrap.sql once more, since our_role() is not
-- there yet.
do $roles$
declare
  v_role text;
begin
  foreach v_role in array array[
    'fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer', 'fairclaim_tenant',
    'fairclaim_operator', 'fairclaim_auditor', 'fairclaim_observer']
  loop
    if not exists (select from pg_catalog.pg_roles where pg_roles.rolname = v_role) then
      begin
        execute pg_catalog.format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then null;      -- another installer was quicker
        when insufficient_privilege then
          raise exception 'role % is missing and % may not create it', v_role, current_user
            using errcode = 'JQ007', detail = '{"field": "role"}',
                  hint = pg_catalog.format(
                    'as an administrator: alter role %I createrole', current_user);
      end;
    end if;
  end loop;
end
$roles$;

-- The installer must be able to act as the owner; from version 16 on that takes the SET option of
-- the membership.
do $member$
declare
  v_new boolean := pg_catalog.current_setting('server_version_num')::int >= 160000;
begin
  if not pg_catalog.pg_has_role(
           current_user, 'fairclaim_owner', case when v_new then 'SET' else 'MEMBER' end) then
    begin
      execute pg_catalog.format('grant fairclaim_owner to %I', current_user)
              || case when v_new then ' with inherit true, set true' else '' end;
    exception
      when unique_violation then null;
      when insufficient_privilege then
        raise exception
          'role fairclaim_owner belongs to another installer and % may not use it', current_user
          using errcode = 'JQ007', detail = '{"field": "role"}',
                hint = pg_catalog.format(
                  'as an administrator: grant fairclaim_owner to %I', current_user);
    end;
  end if;
end
$member$;
