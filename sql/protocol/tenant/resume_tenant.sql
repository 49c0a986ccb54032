-- The limit that is set holds again; tick wakes the workers (see force_bounds). A tenant that is
-- not paused is left as it is, and nothing is written down.
create or replace function fairclaim.resume_tenant(p_tenant_id uuid, p_why text default null)
returns table (
  tenant_id uuid, tenant text, paused_at timestamptz, until timestamptz, was_paused boolean,
  known boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_before record;
begin
  perform check_bound('paused', 'tenant', p_tenant_id, null, null, p_why, null, v_now);
  perform lock_bounds();
  v_before := shown_bound('paused', 'tenant', p_tenant_id, '', v_now);
  was_paused := v_before.set_at is not null;
  if was_paused then
    perform put_bound('resume_tenant', 'paused', 'tenant', p_tenant_id, null, null, null, p_why,
      null, v_now);
  end if;
  tenant_id := p_tenant_id;
  tenant := tenant_label(p_tenant_id);
  known := is_known_tenant(p_tenant_id);
  return next;
end
$$;

comment on function fairclaim.resume_tenant(uuid, text) is
'Lets claims have the jobs of a paused tenant again, within its limits, and wakes the workers. For operators. was_paused is false when it was not paused; known as in pause_tenant; paused_at and until are null.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.resume_tenant(uuid, text) to fairclaim_operator;
