-- For workers and operators, who serve all tenants. A tenant's own session may not call it.
create or replace function fairclaim.tenant_names(p_tenant_ids uuid[])
returns table (tenant_id uuid, name text)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  if p_tenant_ids is null or cardinality(p_tenant_ids) > 10000 then
    perform refuse('JQ004', 'p_tenant_ids', 'must be a list of at most 10,000 ids',
      'ask for fewer tenants at once', '{"limit": 10000}');
  end if;
  return query
  select wanted.id, wanted.name
    from (select tenant.id, tenant_label(tenant.id) as name
            from (select distinct unnest(p_tenant_ids) as id) tenant offset 0) wanted
   where wanted.name is not null;
end
$$;

comment on function fairclaim.tenant_names(uuid[]) is
'What these tenants (at most 10,000) are called: one row for each that a job was dispatched for by name, by p_tenant in dispatch_job or tenant in dispatch_jobs; none for the others. For workers and operators, to show names beside ids.
Errors: JQ004.';

grant execute on function fairclaim.tenant_names(uuid[]) to fairclaim_worker, fairclaim_operator;
