-- Names that dispatches have noted go into tenant_name, a slice. Locks notes (skip locked). Of two
-- ticks of which one never ends, the other waits for it in vain where both fold the same name, for
-- as long as the time-out of tick's locks; see work_steps.
create or replace function fairclaim_internal.fold_names(p_size int) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_names text[];
begin
  with taken as (
    delete from tenant_note gone
     where gone.ctid = any (array(
       select note.ctid from tenant_note note
        order by note.note_id limit p_size for update skip locked))
    returning gone.tenant_id, gone.name)
  select array_agg(taken.tenant_id), array_agg(taken.name) into v_tenants, v_names from taken;
  insert into tenant_name (tenant_id, name)
  select distinct on (tenant.id) tenant.id, tenant.name
    from unnest(v_tenants, v_names) tenant(id, name)
   where not exists (select from tenant_name known where known.tenant_id = tenant.id)
   order by tenant.id
      on conflict (tenant_id) do nothing;
  return coalesce(cardinality(v_tenants), 0);
end
$$;

comment on function fairclaim_internal.fold_names(int) is
'Keeps the names of tenants that dispatches have noted. Returns how many notes it took.';
