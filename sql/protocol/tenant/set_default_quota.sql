-- Dispatch reads the quota that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_default_quota(
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
  perform put_bound('set_default_quota', 'waiting', 'default', null, p_queue, p_max_waiting,
    coalesce(p_refuses, true), p_why, p_until, v_now);
  return query
  select shown.*, null::boolean,
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('waiting', 'default', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_default_quota(int, text, text, timestamptz, boolean) is
'Limits how many jobs of each tenant wait (0 to 2,000,000,000), in all queues together or in one, for every tenant that has no quota of its own there. p_refuses as in set_quota. For operators. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_default_quota(int, text, text, timestamptz, boolean)
  to fairclaim_operator;
