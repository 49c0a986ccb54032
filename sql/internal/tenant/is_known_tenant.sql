create or replace function fairclaim_internal.is_known_tenant(p_tenant_id uuid) returns boolean
language plpgsql stable
set jit = off
set enable_seqscan = off
as $$
begin
  return tenant_label(p_tenant_id) is not null
      or exists (select from job where job.tenant_id = p_tenant_id);
end
$$;

comment on function fairclaim_internal.is_known_tenant(uuid) is
'Whether a job was dispatched for this tenant by name, or one of its jobs is there.';
