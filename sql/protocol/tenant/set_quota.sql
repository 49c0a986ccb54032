-- Dispatch reads the quota that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_quota(
  p_tenant_id uuid,
  p_max_waiting int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null,
  p_refuses boolean default true
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_quota', 'waiting', 'tenant', p_tenant_id, p_queue, p_max_waiting,
    coalesce(p_refuses, true), p_why, p_until, v_now);
  return query
  select shown.*, is_known_tenant(p_tenant_id),
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('waiting', 'tenant', p_tenant_id, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_quota(uuid, int, text, text, timestamptz, boolean) is
'Limits how many jobs of a tenant wait (0 to 2,000,000,000), in all queues together or in one, for operators. p_refuses: what is above it is refused at dispatch (JQ003); else it is accepted and counted. It goes before the default for every tenant. Jobs that wait already stay. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. known is false where no job was dispatched for the tenant by name and none of its jobs is there, which a misspelt name shows by; in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_quota(uuid, int, text, text, timestamptz, boolean)
  to fairclaim_operator;
