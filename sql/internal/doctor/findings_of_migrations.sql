-- A migration of another text means another build, or an edited file: then it is unknown what is in
-- the tables.
create or replace function fairclaim_internal.findings_of_migrations(p_build jsonb)
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with other as (
    select array_agg(format('%s (%s)', applied.version, applied.name) order by applied.version)
             as names
      from jsonb_array_elements(p_build -> 'migrations') known(migration)
      join migration applied on applied.version = (known.migration ->> 'version')::int
       and applied.checksum <> known.migration ->> 'checksum')
  select case when other.names is null then 'ok' else 'error' end, 'checksum',
         case when other.names is null then 'every migration is the one of this build'
              else 'migrations of another text than this build''s: ' || some_of(other.names) end,
         case when other.names is not null
              then 'use the build that migrated this database, or a newer one; a migration never '
                   || 'changes once it is released' end
    from other
$$;

comment on function fairclaim_internal.findings_of_migrations(jsonb) is
'Finds migrations of another text than those of a build.';
