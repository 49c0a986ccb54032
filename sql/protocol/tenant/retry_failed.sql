-- The jobs go to `scheduled`, the n-th of them n / p_per_second after the time at which the call
-- begins to spread them; tick makes them wait when they are due. Locks: those of
-- reopen_ended, then rows of cancel_request (skip locked).
create or replace function fairclaim.retry_failed(
  p_tenant_id uuid,
  p_queue text default null,
  p_type text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null,
  p_per_second float8 default 10,
  p_start_at timestamptz default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, retried int, until timestamptz, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_start timestamptz := greatest(p_start_at, v_now);
  v_ids uuid[];
begin
  perform check_filter(null, p_older_than, p_newer_than, p_error);
  if p_per_second is null or p_per_second not between 0.01 and 100000 then
    perform refuse('JQ004', 'p_per_second', 'must be from 0.01 to 100,000',
      'say how many jobs a second are to be run again',
      '{"minimum": 0.01, "maximum": 100000}');
  elsif p_start_at > v_now + interval '5 years' then
    perform refuse('JQ004', 'p_start_at', 'must be at most 5 years ahead',
      'give the time that the last call answered as until, or leave it out',
      '{"maximum": 157766400}');
  end if;
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(
           p_tenant_id, p_queue, p_type, p_older_than, p_newer_than, p_after, p_limit) step;
  if p_error is not null then
    v_ids := array(
      select asked.id from unnest(v_ids) asked(id)
       where error_has(coalesce(
               (select finished.error from finished
                 where finished.id = asked.id and finished.tenant_id = p_tenant_id),
               (select attempt_error.error from attempt_error
                 where attempt_error.id = asked.id and attempt_error.tenant_id = p_tenant_id
                 order by attempt_error.attempt desc limit 1)), p_error));
  end if;
  with back as materialized (
    select again.*, row_number() over (order by again.id) - 1 as n
      from reopen_ended(p_tenant_id, v_ids, '{failed}') again),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select v_start + make_interval(secs => back.n / p_per_second), back.id, back.tenant_id,
           back.attempts, back.attempts_left, back.lost, back.watched
      from back)
  select count(*), array_agg(back.id) into retried, v_ids from back;
  until := v_start + make_interval(secs => retried / p_per_second);
  if retried > 0 then
    perform drop_wishes(v_ids);
    perform note_operation('retry_failed', p_tenant_id, p_queue, p_why, retried);
    perform wake_before(v_now, v_start);
  end if;
  return next;
end
$$;

comment on function fairclaim.retry_failed(uuid, text, text, float8, float8, text, float8,
    timestamptz, uuid, int, text) is
'Runs failed jobs of one tenant again at a bounded rate, in steps, for operators: p_per_second (0.01 to 100,000) of them become due a second, each with all its attempts. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first; go on with p_after = next and p_start_at = until, so that the rate holds over all calls, until next is null. until: when the last of them is due, and a place after it. The filters are those of list_jobs; p_error is for auditors. p_why: for the audit table.
Errors: JQ002, JQ004, JQ007.';

grant execute on function fairclaim.retry_failed(uuid, text, text, float8, float8, text, float8,
    timestamptz, uuid, int, text)
  to fairclaim_operator;
