-- Frees running jobs whose workers are gone, before their leases end. What somebody else is ending or extending at this moment is left to
-- him. Lock order: as settle_mixed (running, skip locked, then inserts).
create or replace function fairclaim.release_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
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
  select array_agg(r.id), array_agg(r.attempt::int), array_agg(r.lease_token) into v_ids, v_attempts, v_tokens
    from (select * from running r
           where r.id = any (p_ids) and (p_tenant_id is null or r.tenant_id = p_tenant_id) for update skip locked) r;
  if v_ids is not null then
    select count(*) into v_jobs
      from settle_mixed(null, v_ids, v_attempts, v_tokens, array_fill('release'::text, array[cardinality(v_ids)]),
             null, null, null) s
     where s.kind = 'settled';
    raise log 'fairclaim: % running jobs released by %', v_jobs, session_user;
    perform wake(fairclaim.clock());
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.release_jobs(uuid, uuid[]) is
'Takes running jobs (1 to 10,000 ids) from their workers, for operators, when those are gone and the leases are long: each waits again, or ends as cancelled if somebody asked for that. No attempt and no loss is counted. The lease is dead: a worker that lives after all may go on with the job for a while, beside the next one, and its settlement is refused. Returns the status of each id, null for one that this tenant does not have; processing is one that is being settled or extended at this moment: call it again. What does not run stays as it is. p_tenant_id null: every tenant''s. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.release_jobs(uuid, uuid[]) to fairclaim_operator;
