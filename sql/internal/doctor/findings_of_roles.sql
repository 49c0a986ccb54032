-- Which roles the login has (session_user: the function may run as the owner), what ours may beyond
-- what they should, and who shares them: roles belong to the whole cluster. Reads catalogs only, so
-- that a login without a role of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_roles()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with ours as (
    select listed.role, known.oid,
           known.rolcanlogin or known.rolsuper or known.rolbypassrls or known.rolcreaterole
             as is_strong,
           pg_has_role(acting.name, known.oid, 'usage') as is_used,
           pg_has_role(acting.name, known.oid, 'member') as is_member
      from unnest(array['fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                        'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                        'fairclaim_observer']) listed(role)
      -- a session may begin as a role (alter role ... set role), which a definer function keeps
     cross join (select coalesce(nullif(current_setting('role'), 'none')::name, session_user)
                          as name) acting
      left join pg_roles known on known.rolname = listed.role),
  told as (
    select (select login.rolsuper or login.rolbypassrls from pg_roles login
               where login.rolname = session_user)
             as is_unbound,
           (select string_agg(ours.role, ', ') from ours where ours.is_used) as used,
           (select string_agg(ours.role, ', ') from ours where ours.is_member and not ours.is_used)
             as dormant,
           (select string_agg(ours.role, ', ') from ours where ours.oid is null) as missing,
           (select string_agg(ours.role, ', ') from ours where ours.is_strong) as strong,
           (select string_agg(format('%s has %s', web.rolname, ours.role), ', ')
              from pg_roles web join ours on pg_has_role(web.oid, ours.oid, 'member')
             where web.rolname in ('anon', 'authenticated')) as web,
           (select string_agg(database.datname, ', ')
              from (select distinct other.datname::text from pg_shdepend owned
                      join pg_database other on other.oid = owned.dbid
                     where owned.refclassid = 'pg_authid'::regclass and owned.deptype = 'o'
                       and owned.refobjid = (select ours.oid from ours
                                              where ours.role = 'fairclaim_owner')
                       and other.datname <> current_database() and other.datallowconn
                       and not other.datistemplate
                     order by 1 limit 8) database) as neighbours)
  select finding.* from told cross join lateral (values
    (case when is_unbound or used is null then 'warning' else 'ok' end, 'login_roles',
     case when is_unbound
          then 'this login is a superuser or passes row security: nothing keeps it from any '
               || 'tenant''s rows'
          when used is not null then 'this login has ' || used
          when dormant is not null
          then format('this login has %s and does not inherit what that may do (NOINHERIT)',
                      dormant)
          else 'this login has no role of fairclaim' end,
     case when is_unbound
          then 'give applications and workers a plain login with the role that they need'
          when used is not null then null
          when dormant is not null
          then 'as an administrator: alter role ... inherit, and from PostgreSQL 16 on grant it '
               || 'once more with inherit true; or have the login''s sessions begin as that role: '
               || 'alter role ... set role fairclaim_worker'
          else 'as an administrator grant it what it does: fairclaim_worker, fairclaim_producer, '
               || 'fairclaim_operator, fairclaim_observer' end),
    (case when missing is null and strong is null then 'ok' else 'error' end, 'role_attributes',
     coalesce('roles are missing: ' || missing,
              'roles that can log in, create roles, or pass row security: ' || strong,
              'all are there, and none can log in or pass row security'),
     case when missing is not null
          then 'run `fairclaim migrate` as a login with CREATEROLE'
          when strong is not null
          then 'as an administrator: alter role ... nologin nosuperuser nobypassrls nocreaterole'
          end),
    (case when web is not null then 'error' end, 'web_roles',
     'callers of the REST interface have our roles: ' || web,
     'as an administrator: revoke that role from anon and authenticated; any visitor could use it'),
    (case when neighbours is not null then 'warning' end, 'second_installation',
     'other databases of this cluster have fairclaim too, and share its roles: ' || neighbours,
     'their workers are workers here where they may connect: revoke connect on this database from '
     || 'public, and grant it to the logins that belong here')) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_roles() is
'Finds roles that are missing or too strong, a login without any, callers of a REST interface that
have one, and other databases of the cluster that share them.';
