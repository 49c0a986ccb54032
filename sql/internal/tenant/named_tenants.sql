-- The tenants of a batch of which some jobs give no uuid: each name is mapped and remembered once,
-- however many jobs have it. A name that may not be one is left out, so that its job is found
-- without a tenant and refused by its index.
create or replace function fairclaim_internal.named_tenants(p_jobs jsonb) returns jsonb
language plpgsql
as $$
declare
  v_default text := (select setting.default_tenant from setting);
  v_names text[];
  v_ids uuid[];
begin
  select array_agg(named.name), array_agg(fairclaim.tenant_uuid(named.name)) into v_names, v_ids
    from (select job.item ->> 'tenant' as name
            from jsonb_array_elements(p_jobs) job(item)
           where jsonb_typeof(job.item -> 'tenant') in ('string', 'number')
          union
          select v_default) named
   where is_tenant_name(named.name);
  perform note_tenants(v_ids, v_names);
  return coalesce(jsonb_object(v_names, v_ids::text[]), '{}')
         || case when v_default is null then '{}'
                 else jsonb_build_object('', fairclaim.tenant_uuid(v_default)) end;
end
$$;

comment on function fairclaim_internal.named_tenants(jsonb) is
'The ids of the tenants that the jobs of a batch name, by name, and that of the default tenant by the empty one; remembers the names.';
