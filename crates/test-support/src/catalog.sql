-- The catalog of the schema fairclaim as one text that reads like SQL. Everything belongs to fairclaim_owner and is permanent
-- unless its line says otherwise, and an owner's rights are told only where they are not the usual ones.
-- Every version of the server gives the same text: what only some of them have is left out (the right MAINTAIN, constraints for
-- NOT NULL), and of options those that PostgreSQL documents are told: a server may write others of its own. Ranges are named after the clock, so theirs is put as <range>; ranges that are alike are one, so one that is
-- not like the others stands out.
with
documented(option) as (
  select unnest('{n_distinct, n_distinct_inherited, fillfactor, parallel_workers, toast_tuple_target, user_catalog_table,
                  vacuum_index_cleanup, vacuum_truncate, vacuum_max_eager_freeze_failure_rate, log_autovacuum_min_duration,
                  check_option, security_barrier, security_invoker}'::text[])
  union all
  select 'autovacuum_' || unnest('{enabled, vacuum_threshold, vacuum_max_threshold, vacuum_scale_factor, vacuum_insert_threshold,
                                   vacuum_insert_scale_factor, analyze_threshold, analyze_scale_factor, vacuum_cost_delay,
                                   vacuum_cost_limit, freeze_min_age, freeze_max_age, freeze_table_age, multixact_freeze_min_age,
                                   multixact_freeze_max_age, multixact_freeze_table_age}'::text[])),
relation as (
  select c.oid, c.relname as name, format('%s.%I', c.relnamespace::regnamespace, c.relname) as object, c.relkind as kind, c.relowner as owner, c.relacl as acl,
         case c.relpersistence when 'u' then 'unlogged ' when 't' then 'temporary ' else '' end as persistence,
         coalesce((select ' with (' || string_agg(o.text, ', ' order by o.place) || ')'
                     from unnest(c.reloptions) with ordinality o(text, place) join documented d on d.option = split_part(o.text, '=', 1)), '') as options,
         case when c.relowner <> 'fairclaim_owner'::regrole then ' -- of ' || c.relowner::regrole else '' end as owned,
         c.relrowsecurity, c.relforcerowsecurity
    from pg_class c where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])),
routine as (
  select p.*, format('%s.%I(%s)', p.pronamespace::regnamespace, p.proname, pg_get_function_identity_arguments(p.oid)) as object,
         case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as word
    from pg_proc p where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])),

section(object, section) as (
  select unnest('{fairclaim,fairclaim_internal}'::text[]), 2
  union all
  select r.object, case when r.kind in ('v', 'm') then 5 when r.kind = 'S' then 4 else 3 end from relation r where r.kind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select r.object, 6 from routine r),

-- rights, for everything that can have some
granted(object, target, owner, acl, usual) as (
  select n.nspname::text, 'schema ' || n.nspname, n.nspowner, n.nspacl, acldefault('n', n.nspowner) from pg_namespace n where n.nspname in ('fairclaim', 'fairclaim_internal')
  union all
  select r.object, r.object, r.owner, r.acl, acldefault('r', r.owner) from relation r where r.kind in ('r', 'p', 'v', 'm', 'f')
  union all
  select r.object, 'sequence ' || r.object, r.owner, r.acl, acldefault('s', r.owner) from relation r where r.kind = 'S'
  union all
  select r.object, r.word || ' ' || r.pronamespace::regnamespace || '.' || quote_ident(r.proname), r.proowner, r.proacl, acldefault('f', r.proowner) from routine r),
grants as (
  select g.object, g.target, g.owner, a.grantee, a.grantor, a.is_grantable,
         string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as rights
    from granted g cross join aclexplode(coalesce(g.acl, g.usual)) a
   where a.privilege_type <> 'MAINTAIN'
   group by g.object, g.target, g.owner, a.grantee, a.grantor, a.is_grantable),
usual as (
  select g.object, g.target, g.owner, string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as rights
    from granted g cross join aclexplode(g.usual) a
   where a.grantee = g.owner and a.privilege_type <> 'MAINTAIN' group by g.object, g.target, g.owner),
column_grants as (
  select r.object, r.owner, a.grantee, a.grantor, a.is_grantable,
         format('%s (%s)', lower(a.privilege_type), string_agg(quote_ident(t.attname), ', ' order by t.attnum)) as rights
    from relation r join pg_attribute t on t.attrelid = r.oid cross join aclexplode(t.attacl) a
   group by r.object, r.owner, a.grantee, a.grantor, a.is_grantable, a.privilege_type),

-- the lines: section, object, part of it, place in that part, text
line(section, object, part, place, text) as (
  select 1, 'roles', 1, r.rolname::text,
         format('create role %I %s', r.rolname, concat_ws(' ',
           case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
           case when r.rolcreatedb then 'createdb' end, case when r.rolreplication then 'replication' end,
           case when r.rolbypassrls then 'bypassrls' end, case when r.rolinherit then 'inherit' else 'noinherit' end,
           case when r.rolcanlogin then 'login' else 'nologin' end,
           case when r.rolconnlimit <> -1 then 'connection limit ' || r.rolconnlimit end,
           (select 'in role ' || string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text)
              from pg_auth_members m where m.member = r.oid))) || ';'
    from pg_roles r where r.rolname ~ '^fairclaim_' and r.rolname <> 'fairclaim_superuser' -- that one is the private server's
  union all
  select 1, 'roles', 2, s.setrole::regrole::text || c, format('alter role %s set %s;', s.setrole::regrole, c)
    from pg_db_role_setting s cross join unnest(s.setconfig) c where s.setrole::regrole::text ~ '^fairclaim_'

  union all
  select 2, n.nspname::text, 1, '', format('create schema %I authorization %s;', n.nspname, n.nspowner::regrole)
    from pg_namespace n where n.nspname in ('fairclaim', 'fairclaim_internal')
  union all
  select 2, 'fairclaim', 3, d.defaclobjtype::text || coalesce(a.grantee::text, ''),
         format('alter default privileges for role %s%s: %s on new %s to %s;', d.defaclrole::regrole,
                case when d.defaclnamespace <> 0 then ' in schema ' || d.defaclnamespace::regnamespace else '' end,
                lower(a.privilege_type),
                case d.defaclobjtype when 'f' then 'functions' when 'r' then 'tables' when 'S' then 'sequences' else d.defaclobjtype::text end,
                case a.grantee when 0 then 'public' else a.grantee::regrole::text end)
    from pg_default_acl d left join lateral aclexplode(d.defaclacl) a on a.privilege_type <> 'MAINTAIN'
   where d.defaclrole::regrole::text ~ '^fairclaim_' or d.defaclnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])

  union all
  select 3, r.object, 1, '', 'create ' || r.persistence || 'table ' || r.object || ' (' from relation r where r.kind in ('r', 'p')
  union all
  select 3, r.object, 2, to_char(t.attnum, 'FM0000'),
         format('  %I %s', t.attname, format_type(t.atttypid, t.atttypmod))
         || case when t.attcollation <> y.typcollation then ' collate ' || t.attcollation::regcollation else '' end
         || case when t.attnotnull then ' not null' else '' end
         || case t.attidentity when 'a' then ' generated always as identity' when 'd' then ' generated by default as identity' else '' end
         || case when t.attgenerated <> '' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                 when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end
         || case when t.attstorage <> y.typstorage
                 then ' storage ' || case t.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end else '' end
         || case when t.attcompression <> '' then ' compression ' || t.attcompression::text else '' end
         || case when t.attstattarget >= 0 then ' statistics ' || t.attstattarget else '' end
         || coalesce((select ' set (' || string_agg(o.text, ', ' order by o.place) || ')'
                        from unnest(t.attoptions) with ordinality o(text, place) join documented d on d.option = split_part(o.text, '=', 1)), '')
    from relation r
    join pg_attribute t on t.attrelid = r.oid and t.attnum > 0 and not t.attisdropped
    join pg_type y on y.oid = t.atttypid
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = t.attnum
   where r.kind in ('r', 'p')
  union all
  select 3, r.object, 2, 'c' || k.contype::text || k.conname, format('  constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
    from relation r join pg_constraint k on k.conrelid = r.oid and k.contype <> 'n' where r.kind in ('r', 'p')
  union all
  select 3, r.object, 3, '',
         ')' || case when r.kind = 'p' then ' partition by ' || pg_get_partkeydef(r.oid) else '' end || r.options || ';' || r.owned
    from relation r where r.kind in ('r', 'p')
  union all
  select 3, r.object, 4, i.indexrelid::regclass::text,
         pg_get_indexdef(i.indexrelid) || ';' || case when i.indisvalid and i.indisready then '' else ' -- not valid' end
    from relation r join pg_index i on i.indrelid = r.oid
  union all
  select 3, r.object, 5, '', format('alter table %s %s row level security, %s row level security;', r.object,
         case when r.relrowsecurity then 'enable' else 'disable' end, case when r.relforcerowsecurity then 'force' else 'no force' end)
    from relation r where r.kind in ('r', 'p')
  union all
  select 3, r.object, 6, p.policyname::text,
         format('create policy %I on %s as %s for %s to %s', p.policyname, r.object, lower(p.permissive), lower(p.cmd), array_to_string(p.roles, ', '))
         || coalesce(' using (' || p.qual || ')', '') || coalesce(' with check (' || p.with_check || ')', '') || ';'
    from relation r join pg_policies p on format('%s.%I', p.schemaname, p.tablename) = r.object
  union all
  select 3, r.object, 7, t.tgname::text, pg_get_triggerdef(t.oid) || ';'
    from relation r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
  union all
  select 3, r.object, 7, u.rulename::text, pg_get_ruledef(u.oid)
    from relation r join pg_rewrite u on u.ev_class = r.oid and u.rulename <> '_RETURN'

  union all
  select 4, r.object, 1, '',
         format('create %ssequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s%s%s;', r.persistence, r.object,
                s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, case when s.seqcycle then ' cycle' else '' end,
                (select format(' owned by %s.%I', d.refobjid::regclass, t.attname)
                   from pg_depend d join pg_attribute t on t.attrelid = d.refobjid and t.attnum = d.refobjsubid
                  where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.refobjsubid > 0 and d.deptype in ('a', 'i'))) || r.owned
    from relation r join pg_sequence s on s.seqrelid = r.oid

  union all
  select 5, r.object, 1, '', format('create %sview %s%s as', case r.kind when 'm' then 'materialized ' else '' end, r.object, r.options)
         || E'\n' || pg_get_viewdef(r.oid, true) || r.owned
    from relation r where r.kind in ('v', 'm')
  union all
  select 5, r.object, 2, to_char(t.attnum, 'FM0000'), format('-- column %I %s', t.attname, format_type(t.atttypid, t.atttypmod))
    from relation r join pg_attribute t on t.attrelid = r.oid and t.attnum > 0 where r.kind in ('v', 'm')

  union all
  select 6, r.object, 1, '',
         format('create %s fairclaim.%I(%s)', r.word, r.proname, pg_get_function_arguments(r.oid))
         || coalesce(E'\n  returns ' || pg_get_function_result(r.oid), '')
         || format(E'\n  language %s %s', (select l.lanname from pg_language l where l.oid = r.prolang),
                   case r.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end)
         || case r.proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' else '' end
         || case when r.proisstrict then ' strict' else '' end || case when r.proleakproof then ' leakproof' else '' end
         || case when r.prosecdef then ' security definer' else '' end
         || coalesce((select string_agg(E'\n  set ' || c, '' order by c) from unnest(r.proconfig) c), '') || ';'
         || case when r.proowner <> 'fairclaim_owner'::regrole then ' -- of ' || r.proowner::regrole else '' end
    from routine r

  union all
  select 7, 'more', 1, t.typname::text, format('create type %s.%I;', t.typnamespace::regnamespace, t.typname)
    from pg_type t where t.typnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and t.typtype <> 'c' and t.typelem = 0
  union all
  select 7, 'more', 2, r.object, format('%s -- a relation of kind %s', r.object, r.kind)
    from relation r where r.kind not in ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'c')
  union all
  select 7, 'more', 3, x.oid::text, pg_describe_object(x.class, x.oid, 0)
    from (select 'pg_operator'::regclass, o.oid from pg_operator o where o.oprnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
          union all select 'pg_statistic_ext'::regclass, e.oid from pg_statistic_ext e where e.stxnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
          union all select 'pg_collation'::regclass, c.oid from pg_collation c where c.collnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])) x(class, oid)

  union all
  select s.section, g.object, 8, g.target || rpad(coalesce(nullif(g.grantee, 0)::regrole::text, ''), 64),
         format('grant %s on %s to %s%s;', g.rights, g.target, case g.grantee when 0 then 'public' else g.grantee::regrole::text end,
                case when g.is_grantable then ' with grant option' else '' end)
         || case when g.grantor <> g.owner then ' -- by ' || g.grantor::regrole else '' end
    from grants g join section s on s.object = g.object where g.grantee <> g.owner
  union all
  select s.section, g.object, 9, rpad(coalesce(nullif(g.grantee, 0)::regrole::text, ''), 64) || g.rights,
         format('grant %s on %s to %s%s;', g.rights, g.object, case g.grantee when 0 then 'public' else g.grantee::regrole::text end,
                case when g.is_grantable then ' with grant option' else '' end)
         || case when g.grantor <> g.owner then ' -- by ' || g.grantor::regrole else '' end
    from column_grants g join section s on s.object = g.object
  union all
  select s.section, u.object, 8, '', format('-- of the owner''s rights on %s only: %s', u.target, coalesce(g.rights, 'none'))
    from usual u join section s on s.object = u.object left join grants g on g.object = u.object and g.grantee = u.owner
   where g.rights is distinct from u.rights),

-- a block of lines for each object; ranges that are alike give one block
block as (
  select l.section, l.object,
         string_agg(l.text || case when l.part = 2 and l.next = 2 and l.section = 3 then ',' else '' end, E'\n'
                    order by l.part, l.place collate "C", l.text collate "C") as text
    from (select l.*, lead(l.part) over (partition by l.section, l.object
                                         order by l.part, l.place collate "C", l.text collate "C") as next from line l) l
   group by l.section, l.object),
told as (
  select min(b.section) as section, min(b.object collate "C") as object, z.text
    from block b cross join lateral (select regexp_replace(b.text, '_\d{8}_\d{4}', '_<range>', 'g') as text) z
   group by z.text)
select string_agg(t.text, E'\n\n' order by t.section, t.object collate "C", t.text collate "C") from told t
