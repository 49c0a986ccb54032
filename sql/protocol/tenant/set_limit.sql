-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_limit(
  p_tenant_id uuid,
  p_max_running int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null
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
  perform put_bound('set_limit', 'running', 'tenant', p_tenant_id, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, is_known_tenant(p_tenant_id),
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('running', 'tenant', p_tenant_id, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_limit(uuid, int, text, text, timestamptz) is
'Limits how many jobs of a tenant run at the same time (0 to 1,000,000), in all queues together or in one, for operators. Both may be set, and both hold; it goes before the default for every tenant. Jobs that run already go on. A new limit is exact from the moment when the claims that were open have ended, and until then no job of the tenant is claimed; a changed one is in effect at once. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. known is false where no job was dispatched for the tenant by name and none of its jobs is there, which a misspelt name shows by; in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_limit(uuid, int, text, text, timestamptz)
  to fairclaim_operator;
