-- Tables, views and sequences, and the two schemas, at most 2,000. Reads catalogs only, so that a
-- login without a role of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_relations()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with relation as (
    select class.oid, class.relname::text as name, class.relowner as owner,
           case when class.relkind in ('r', 'p')
                then class.relrowsecurity and class.relforcerowsecurity
                when class.relkind in ('v', 'm') then coalesce(class.reloptions, '{}')
                     && array['security_invoker=true', 'security_invoker=on']
                else true end as is_secured,
           array(select entry.grantee from aclexplode(class.relacl) entry
                 union all
                 select entry.grantee
                   from pg_attribute attribute cross join aclexplode(attribute.attacl) entry
                  where attribute.attrelid = class.oid) as grantees
      from pg_class class
     where class.relnamespace
           in (to_regnamespace('fairclaim'), to_regnamespace('fairclaim_internal'))
       and class.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select null, namespace.nspname::text, namespace.nspowner, true,
           array(select entry.grantee from aclexplode(namespace.nspacl) entry)
      from pg_namespace namespace where namespace.nspname in ('fairclaim', 'fairclaim_internal')
     order by 2 limit 2000),
  stranger as (
    select relation.name,
           string_agg(distinct coalesce(nullif(given.grantee, 0)::regrole::text, 'public'), ', ')
             as grantees
      from relation cross join unnest(relation.grantees) given(grantee)
     where given.grantee <> relation.owner
       and not exists (
         select from pg_roles ours
          where ours.oid = given.grantee
            and ours.rolname in ('fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                              'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                              'fairclaim_observer'))
     group by relation.name),
  trouble(kind, what) as (
    select 'bare', relation.name from relation where not relation.is_secured
    union all
    select 'open', format('%s (to %s)', stranger.name, stranger.grantees) from stranger
    union all
    select 'policy', format('%s on %s', policy.polname, relation.name)
      from relation join pg_policy policy on policy.polrelid = relation.oid
     where policy.polname not in ('owner_all', 'tenant_read', 'operator_read')),
  named as (
    select trouble.kind,
           array_to_string((array_agg(trouble.what order by trouble.what))[1:8], ', ')
           || case when count(*) > 8 then format(' and %s more', count(*) - 8) else '' end as names
      from trouble group by trouble.kind),
  told as (
    select max(names) filter (where kind = 'bare') as bare,
           max(names) filter (where kind = 'open') as open,
           max(names) filter (where kind = 'policy') as policies
      from named)
  select finding.* from told cross join lateral (values
    (case when bare is null then 'ok' else 'error' end, 'row_security',
     coalesce('not enabled and forced, or a view that runs as its owner: ' || bare,
              'enabled and forced on every table; views run as their caller'),
     case when bare is not null
          then 'run `fairclaim migrate`, which enables it again on the tables it knows; for '
               || 'others: alter table ... enable row level security, '
               || 'force row level security' end),
    (case when policies is not null then 'warning' end, 'foreign_policy',
     'policies that are not of this build: ' || policies,
     'policies add up: look at each, and drop what fairclaim did not make'),
    (case when open is null then 'ok' else 'error' end, 'table_access',
     coalesce('granted to strangers: ' || open,
              'no table, view or sequence is granted to a role that is not ours'),
     case when open is not null
          then 'as an administrator: set role fairclaim_owner; revoke all on ... from ...; give '
               || 'people our roles instead' end)) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_relations() is
'Finds tables without row security, policies that are not ours, and grants to roles that are not
ours.';
