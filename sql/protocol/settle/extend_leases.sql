-- A row that another call is settling at this moment is passed over, and answered as held.
create or replace function fairclaim.extend_leases(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_lease float8 default 30
) returns table (id uuid, attempts int, accepted boolean, cancel_requested boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  perform check_claim(p_worker_id, null, 1, null, p_lease);
  if cardinality(p_ids) is null or cardinality(p_ids) > 10000 or array_ndims(p_ids) > 1
     or array_lower(p_ids, 1) <> 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'send 10,000 at most at a time', '{"limit": 10000}');
  elsif coalesce(cardinality(p_attempts), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif coalesce(cardinality(p_lease_tokens), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif array_dims(p_attempts) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  elsif array_dims(p_lease_tokens) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  elsif p_ids = '{}' then
    return;
  end if;
  return query
  with held as materialized (
    select running.id, running.attempt::int as attempt, running.lease_token,
           exists (select from cancel_request wish where wish.id = running.id)
             as is_cancel_requested
      from running
     where running.id = any (p_ids)
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select given.id, given.attempt, given.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    given(id, attempt, token)) then true end),
  free as materialized (
    select running.id from running
     where running.id = any (array(select held.id from held))
     order by running.id for update skip locked),
  extended as (
    update running set lease_expires_at = fairclaim.clock() + make_interval(secs => p_lease)
     where running.id = any (array(select free.id from free))
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select given.id, given.attempt, given.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    given(id, attempt, token)) then true end)
  select given.id, given.attempt,
         coalesce((given.id, given.attempt, given.token) in (
           select held.id, held.attempt, held.lease_token from held), false),
         coalesce((given.id, given.attempt, given.token) in (
           select held.id, held.attempt, held.lease_token from held
            where held.is_cancel_requested), false)
    from unnest(p_ids, p_attempts, p_lease_tokens) given(id, attempt, token);
end
$$;

comment on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8) is
'The heartbeat: moves the end of leases to now + p_lease seconds (1 to 86,400). Answers a row for each, in order, with the attempts that were given. accepted = false: the lease is lost, stop the work. cancel_requested: a producer or an operator asked to cancel the job; stop if you can. Call it when a third of the lease is over, and at once when LISTEN brings the payload cancel. Empty lists answer nothing.
Errors: JQ004.';

grant execute on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8)
  to fairclaim_worker;
