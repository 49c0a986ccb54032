-- By id, attempt and token. One complete: one statement; all complete: one statement; else the general way.
-- No join with `running`: it may walk all of it, dead rows too, when its statistics say that it is empty.
create or replace function fairclaim.settle_jobs(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results jsonb[] default null,
  p_errors jsonb[] default null,
  p_delays float8[] default null
) returns table (id uuid, accepted boolean, status text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform fairclaim.check_settle(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays);
  if cardinality(p_ids) = 1 and p_outcomes[1] = 'complete' then
    with gone as (
      delete from fairclaim.running r
       where r.id = p_ids[1] and r.attempt = p_attempts[1] and r.lease_token = p_lease_tokens[1]
      returning r.tenant_id, r.attempt)
    insert into fairclaim.finished
    select p_ids[1], gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id, p_results[1], null from gone;
    return query select p_ids[1], found, case when found then 'completed' end;
  elsif not 'complete' <> any (p_outcomes)
        and (p_results is null or cardinality(p_ids) <= 1000)      -- each result is looked for in the list
        and (select count(distinct x.i) from unnest(p_ids) x(i)) = cardinality(p_ids) then     -- answers and results go by id here
    return query
    with gone as (
      delete from fairclaim.running r
       where r.id = any (p_ids)
         and case when (r.id, r.attempt::int, r.lease_token) in (
               select x.i, x.a, x.k from unnest(p_ids, p_attempts, p_lease_tokens) x(i, a, k)) then true end
      returning r.id, r.tenant_id, r.attempt),
    final as (
      insert into fairclaim.finished
      select gone.id, gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id,
             case when p_results is not null then p_results[array_position(p_ids, gone.id)] end, null
        from gone returning id)
    select z.i, z.ok, case when z.ok then 'completed' end
      from (select u.i, u.i in (select final.id from final) ok from unnest(p_ids) u(i) offset 0) z;
  else
    return query
    select * from fairclaim.settle_mixed(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays);
  end if;
end
$$;

comment on function fairclaim.settle_jobs(text, uuid[], int[], uuid[], text[], jsonb[], jsonb[], float8[]) is
'Ends attempts. For each: id, attempts and lease_token of its claim, and an outcome:
complete (with p_results); retry (after p_delays seconds, or by the rule: 15 s doubled for every failure, at most an hour, 20 % either way; failed when no attempt is left); fail (for good); snooze (again after p_delays, no attempt used); release (at once, no attempt used); cancel.
p_errors: {code, message, trace}, cut to 16 KiB. Lists have one length, 1 to 10,000. Returns a row for each, in order: accepted = false for a stale one (the lease was lost, or it is settled already), which changes nothing; else its new status.
Errors: JQ004, with the index of the bad item from 0; nothing is written then.';
