-- Whether a tenant has jobs waiting, and room for one more under its limits over all queues. A
-- limit in one queue is not looked at: who asks wants to know whether a look is worth while.
create or replace function fairclaim_internal.has_room(p_tenant_id uuid) returns boolean
language plpgsql
as $$
declare
  v_default record := default_limits('');
  v_most int := (
    select bound.total from limits_of(p_tenant_id, '', v_default.total, null) bound);
begin
  return exists (select from ready where ready.tenant_id = p_tenant_id)
    and (v_most is null
         or v_most > (select count(*) from running
                       where running.limited and running.tenant_id = p_tenant_id));
end
$$;

comment on function fairclaim_internal.has_room(uuid) is
'Whether a job of this tenant waits that its limit over all queues leaves room for.';
