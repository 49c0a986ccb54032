-- Does for whatever a worker holds what release_jobs does. It looks at all of `running`, a small
-- table, as for expired leases. Lock order: as settle_mixed (running, skip locked, then inserts).
create or replace function fairclaim.release_worker(p_worker_id text, p_limit int default 1000)
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
begin
  if p_worker_id is null or length(p_worker_id) not between 1 and 255 then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 characters',
      'give the name that list_jobs shows as worker_id', '{"limit": 255}');
  elsif p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'call it again until there are none', '{"minimum": 1, "maximum": 1000}');
  end if;
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.worker_id = p_worker_id limit p_limit for update skip locked) held;
  if v_ids is null then
    return;
  end if;
  raise log 'fairclaim: % jobs of worker % released by %',
    cardinality(v_ids), p_worker_id, session_user;
  return query
  select answer.id, answer.status
    from settle_mixed(p_worker_id, v_ids, v_attempts, v_tokens,
           array_fill('release'::text, array[cardinality(v_ids)]), null, null, null) answer
   where answer.kind = 'settled';
  perform wake(fairclaim.clock());
end
$$;

comment on function fairclaim.release_worker(text, int) is
'Takes from a worker what it holds, at most p_limit (1 to 1,000) jobs a call, for operators, when it is gone and its leases are long: as release_jobs. Returns the jobs and their new status, pending or cancelled: call it until there are none. Stop the worker first: one that lives claims on, and what it is running may run twice.
Errors: JQ004.';

grant execute on function fairclaim.release_worker(text, int) to fairclaim_operator;
