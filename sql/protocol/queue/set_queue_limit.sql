-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_queue_limit(
  p_queue text,
  p_max_running int,
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
  perform put_bound('set_queue_limit', 'running', 'queue', null, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, null::boolean, queue_in_use(p_queue)
    from shown_bound('running', 'queue', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_queue_limit(text, int, text, timestamptz) is
'Limits how many jobs of a queue run at the same time (0 to 1,000,000), those of all tenants together, for operators. Jobs that run already go on. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_queue_limit(text, int, text, timestamptz)
  to fairclaim_operator;
