-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_default_limit(
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
  perform put_bound('set_default_limit', 'running', 'default', null, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, null::boolean,
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('running', 'default', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_default_limit(int, text, text, timestamptz) is
'Limits how many jobs of each tenant run at the same time (0 to 1,000,000), in all queues together or in one, for every tenant that has no limit of its own there. For operators. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_default_limit(int, text, text, timestamptz)
  to fairclaim_operator;
