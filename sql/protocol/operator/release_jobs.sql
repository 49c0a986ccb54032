-- Frees running jobs whose workers are gone, before their leases end. A job that is being settled
-- or extended at this moment is passed over. Lock order: as settle_mixed (running, skip locked,
-- then inserts). Each job is looked up by index, whatever the statistics say: so sequential scans
-- and joins of whole tables are off.
create or replace function fairclaim.release_jobs(p_tenant_id uuid, p_ids uuid[])
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
  v_jobs bigint;
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.id = any (p_ids)
             and (p_tenant_id is null or running.tenant_id = p_tenant_id)
             for update skip locked) held;
  if v_ids is not null then
    select count(*) into v_jobs
      from settle_mixed(null, v_ids, v_attempts, v_tokens,
             array_fill('release'::text, array[cardinality(v_ids)]), null, null, null) answer
     where answer.kind = 'settled';
    raise log 'fairclaim: % running jobs released by %', v_jobs, session_user;
    perform wake(fairclaim.clock());
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.release_jobs(uuid, uuid[]) is
'Takes running jobs (1 to 10,000 ids) from their workers, for operators, when those are gone and the leases are long: each waits again, or ends as cancelled if that was asked for. No attempt and no loss is counted. The lease is dead: a worker that lives after all may go on with the job for a while, beside the next one, and its settlement is refused. Returns the status of each id, null for one that this tenant does not have; processing is one that is being settled or extended at this moment: call it again. What does not run stays as it is. p_tenant_id null: every tenant''s. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.release_jobs(uuid, uuid[]) to fairclaim_operator;
