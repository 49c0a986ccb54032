-- First what is known of the tenant itself, then its jobs by id. A page is as large as its jobs:
-- with payloads and results of 1 MiB ask for few.
create or replace function fairclaim.export_tenant(
  p_tenant_id uuid,
  p_after uuid default null,
  p_limit int default 100,
  p_payloads boolean default true
) returns table (kind text, document jsonb, next uuid)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_next uuid;
begin
  if p_payloads is null then
    perform refuse('JQ004', 'p_payloads', 'must be true or false');
  elsif p_payloads and not caller_is('auditor') then
    perform refuse('JQ007', 'p_payloads', 'payloads, results and error texts are for auditors only',
      format('set it to false, or as an administrator: grant %I to %I',
             our_role('auditor'), caller()));
  end if;
  select step.ids, step.next into v_ids, v_next
    from tenant_jobs(p_tenant_id, null, null, null, null, p_after, p_limit) step;
  if p_after is null then
    return query
    select part.kind, part.document, v_next from tenant_parts(p_tenant_id) part;
  end if;
  return query
  select 'job',
         jsonb_build_object(
           'id', entry.id, 'tenant_id', entry.tenant_id, 'queue', entry.queue, 'type', entry.type,
           'status', entry.status, 'priority', entry.priority, 'attempts', entry.attempts,
           'attempts_left', entry.attempts_left, 'max_attempts', entry.max_attempts,
           'lost', entry.lost, 'worker_id', entry.worker_id, 'created_at', entry.created_at,
           'next_retry_at', entry.next_retry_at, 'completed_at', entry.completed_at,
           'timeout', entry.timeout, 'tags', entry.tags,
           'error', case when p_payloads then entry.error else error_code(entry.error) end,
           'errors', coalesce(
             (select jsonb_agg(
                       jsonb_build_object(
                         'attempt', past.attempt, 'at', past.at, 'worker_id', past.worker_id,
                         'error', case when p_payloads then past.error
                                       else error_code(past.error) end)
                       order by past.attempt)
                from attempt_error past
               where past.id = entry.id and past.tenant_id = entry.tenant_id), '[]'))
         || case when p_payloads
                 then jsonb_build_object('payload', entry.payload, 'result', entry.result,
                                         'metadata', entry.metadata)
                 else '{}' end,
         v_next
    from unnest(v_ids) with ordinality page(id, place)
   cross join lateral (
     select * from fairclaim.job_queue shown
      where shown.tenant_id = p_tenant_id and shown.id = page.id offset 0) entry
   order by page.place;
end
$$;

comment on function fairclaim.export_tenant(uuid, uuid, int, boolean) is
'Everything of one tenant as JSON, in pages, for operators and auditors. The first page (p_after null) begins with what is known of the tenant itself: kind tenant (its name), setting (its limits), audit (what operators did to it). Then come its jobs, kind job, oldest first: those of the next p_limit (1 to 10,000) with status, payload, result, metadata, error and the errors of all attempts. Go on with p_after = next until next is null. p_payloads false leaves payload, result and metadata out, and of errors all but the code; without it the caller must be an auditor.
Errors: JQ002, JQ004, JQ007.';

grant execute on function fairclaim.export_tenant(uuid, uuid, int, boolean)
  to fairclaim_operator, fairclaim_auditor;
