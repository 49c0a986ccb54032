-- A pause is the limit 0 over all queues while it lasts, beside the limit that is set: a claim that
-- begins after this commit gives none of the tenant's jobs. A second pause changes why and until;
-- the time of the first stays.
create or replace function fairclaim.pause_tenant(
  p_tenant_id uuid,
  p_why text default null,
  p_until timestamptz default null
) returns table (
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
  perform check_bound('paused', 'tenant', p_tenant_id, null, 1, p_why, p_until, v_now);
  perform lock_bounds();
  v_before := shown_bound('paused', 'tenant', p_tenant_id, '', v_now);
  perform put_bound('pause_tenant', 'paused', 'tenant', p_tenant_id, null, 1, null, p_why, p_until,
    v_now);
  if v_before.set_at is not null then
    update bound set set_at = v_before.set_at
     where bound.tenant_id = p_tenant_id and bound.queue = '' and bound.kind = 'paused'
       and bound.subject = 'tenant' and bound.key is null and bound.layer = 'override';
  end if;
  tenant_id := p_tenant_id;
  tenant := tenant_label(p_tenant_id);
  paused_at := coalesce(v_before.set_at, v_now);
  until := p_until;
  was_paused := v_before.set_at is not null;
  known := is_known_tenant(p_tenant_id);
  return next;
end
$$;

comment on function fairclaim.pause_tenant(uuid, text, timestamptz) is
'Stops a tenant, for operators: claims that begin after this give none of its jobs, whatever its limits are. Dispatch and running jobs go on. It lasts until resume_tenant, or until p_until. A tenant exists by use, so any may be paused: known is false when no job was dispatched for it by name and none of its jobs is there. was_paused: it was already, since paused_at.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.pause_tenant(uuid, text, timestamptz) to fairclaim_operator;
