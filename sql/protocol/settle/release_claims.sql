-- Looks at all of `running`, a small table, as for expired leases: it is called only after a claim
-- whose answer got lost. What another call is ending at this moment is left to that call. Lock
-- order: as settle_mixed.
create or replace function fairclaim.release_claims(
  p_worker_id text,
  p_lease_tokens uuid[]
) returns table (lease_token uuid, jobs int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
begin
  perform check_claim(p_worker_id, null, 1, null, 30);
  if cardinality(p_lease_tokens) is null or cardinality(p_lease_tokens) not between 1 and 1000
     or array_ndims(p_lease_tokens) > 1 or array_lower(p_lease_tokens, 1) <> 1
     or array_position(p_lease_tokens, null) is not null then
    perform refuse('JQ004', 'p_lease_tokens', 'must be a list of 1 to 1,000 tokens without nulls',
      'send 1,000 at most at a time', '{"limit": 1000}');
  end if;
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.worker_id = p_worker_id and running.lease_token = any (p_lease_tokens)
           limit 10000 for update skip locked) held;
  if v_ids is null then
    return;
  end if;
  return query
  select held.token, count(*)::int
    from settle_mixed(p_worker_id, v_ids, v_attempts, v_tokens,
           array_fill('release'::text, array[cardinality(v_ids)]), null, null, null)
         with ordinality answer(id, attempts, kind, status, place)
    join unnest(v_tokens) with ordinality held(token, place) on held.place = answer.place
   where answer.kind = 'settled'
   group by held.token;
end
$$;

comment on function fairclaim.release_claims(text, uuid[]) is
'Gives back whatever this worker claimed with these tokens (1 to 1,000) and has not settled, at most 10,000 jobs, as settle_jobs does with release; answers the tokens of which something was there, and how many jobs. For a claim without an answer, whose jobs no worker runs: without it they wait for the end of their lease and count as lost. A claim that is still under way is not seen yet: repeat it until its lease must be over.
Errors: JQ004.';

grant execute on function fairclaim.release_claims(text, uuid[]) to fairclaim_worker;
