-- Compares the functions of both schemas with those that a build brings (p_build, named $1): their
-- texts, who may execute them, and with whose rights they run. Reads catalogs only, at most 1,000
-- functions, so that a login without a role of ours can send this text itself: it calls no function
-- of ours and reads no table of ours.
create or replace function fairclaim_internal.findings_of_functions(p_build jsonb)
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with known as (
    select entry.key as name, entry.value ->> 'digest' as digest,
           array(select jsonb_array_elements_text(entry.value -> 'roles')) as roles
      from jsonb_each($1 -> 'functions') entry),
  found as (
    select proc.proname::text as name, proc.proacl, proc.proowner,
           format('%s.%s(%s)', proc.pronamespace::regnamespace, proc.proname,
                  oidvectortypes(proc.proargtypes)) as signature,
           encode(sha256(convert_to(proc.prosrc, 'UTF8')), 'hex') as digest,
           proc.proowner = to_regrole('fairclaim_owner') as is_ours,
           proc.prosecdef as runs_as_owner,
           -- an installer that quotes all identifiers leaves quotes in the path
           exists (select from unnest(proc.proconfig) setting
                    where replace(setting, '"', '')
                          = 'search_path=pg_catalog, fairclaim_internal, pg_temp') as is_pinned
      from pg_proc proc
     where proc.pronamespace
           in (to_regnamespace('fairclaim'), to_regnamespace('fairclaim_internal'))
     order by 1, proc.oid limit 1000),
  allowed as (
    select found.name, found.signature,
           coalesce(nullif(given.grantee, 0)::regrole::text, 'public') as grantee,
           ours.rolname is not null as is_role_of_ours, ours.rolname::text as role
      from found
     cross join aclexplode(coalesce(found.proacl, acldefault('f', found.proowner))) given
      left join pg_roles ours on ours.oid = given.grantee
       and ours.rolname in ('fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                         'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                         'fairclaim_observer')
     where given.grantee <> found.proowner),
  trouble(kind, what) as (
    select 'missing', known.name from known
     where not exists (select from found where found.name = known.name)
    union all
    select 'changed', found.signature from found join known using (name)
     where known.digest <> found.digest
    union all
    select 'foreign', found.signature from found
     where not exists (select from known where known.name = found.name)
    union all
    select 'insecure', found.signature from found left join known using (name)
     where found.runs_as_owner and not found.is_pinned
        or known.name is not null and found.is_ours is not true
    union all
    select 'open', format('%s by %s', allowed.signature, string_agg(allowed.grantee, ', '))
      from allowed where not allowed.is_role_of_ours group by allowed.signature
    union all
    select 'open', format('%s by %s', allowed.name, allowed.role)
      from allowed join known using (name)
     where allowed.role <> 'fairclaim_owner' and not allowed.role = any (known.roles)
    union all
    select 'closed', format('%s by %s', known.name, needs.role)
      from known cross join unnest(known.roles) needs(role)
     where exists (select from found where found.name = known.name)
       and not exists (select from allowed
                        where allowed.name = known.name and allowed.role = needs.role)),
  named as (
    select trouble.kind,
           array_to_string((array_agg(trouble.what order by trouble.what))[1:8], ', ')
           || case when count(*) > 8 then format(' and %s more', count(*) - 8) else '' end as names
      from trouble group by trouble.kind),
  told as (
    select max(names) filter (where kind = 'missing') as missing,
           max(names) filter (where kind = 'changed') as changed,
           max(names) filter (where kind = 'foreign') as foreigners,
           max(names) filter (where kind = 'insecure') as insecure,
           max(names) filter (where kind = 'open') as open,
           max(names) filter (where kind = 'closed') as closed
      from named)
  select finding.* from told cross join lateral (values
    (case when missing is not null then 'error' when changed is not null then 'warning'
          else 'ok' end, 'functions',
     coalesce('functions are missing: ' || missing,
              'functions of another text than this build''s: ' || changed,
              'every function is the one of this build'),
     case when missing is not null
          then 'run `fairclaim migrate` of the newest build in use: it puts functions and their '
               || 'grants back'
          when changed is not null
          then 'fine if another build migrated last; else run `fairclaim migrate`, which puts '
               || 'them back' end),
    (case when insecure is null then 'ok' else 'error' end, 'function_security',
     coalesce('functions that run with another''s rights on the caller''s path, or belong to '
              || 'another role: ' || insecure,
              'definer functions pin their search_path and are the owner''s'),
     case when insecure is not null
          then 'run `fairclaim migrate` of the newest build in use: it puts functions and their '
               || 'grants back' end),
    (case when open is null and closed is null then 'ok' else 'error' end, 'function_access',
     coalesce(nullif(concat_ws('; ', 'executable by who should not: ' || open,
                               'not executable by who needs it: ' || closed), ''),
              'every function may be executed by the roles that need it and by no other'),
     case when open is not null or closed is not null
          then 'as an administrator: set role fairclaim_owner; revoke execute on function ... '
               || 'from ...; `fairclaim migrate` puts grants of ours back that are missing' end),
    (case when foreigners is not null then 'warning' end, 'foreign_function',
     'functions in schema fairclaim that are not of this build: ' || foreigners,
     'a newer build''s are fine; others do not belong here: move them to a schema of yours, or '
     || 'drop them')) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_functions(jsonb) is
'Finds functions that are missing, changed or foreign, that run on their caller''s path, or that
others may execute than a build says.';
