-- A row that somebody's transaction is settling is passed over, and answered as held.
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
  if cardinality(p_ids) is null or cardinality(p_ids) > 10000 or array_ndims(p_ids) > 1 or array_lower(p_ids, 1) <> 1
     or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'send 10,000 at most at a time', '{"limit": 10000}');
  elsif coalesce(cardinality(p_attempts), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif coalesce(cardinality(p_lease_tokens), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif array_dims(p_attempts) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must be one list that begins at 1', 'pass a plain array of one dimension');
  elsif array_dims(p_lease_tokens) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must be one list that begins at 1', 'pass a plain array of one dimension');
  elsif p_ids = '{}' then
    return;
  end if;
  return query
  with held as materialized (
    select r.id, r.attempt::int, r.lease_token, exists (select from cancel_request c where c.id = r.id) cancel_requested from running r
     where r.id = any (p_ids)
       and case when (r.id, r.attempt::int, r.lease_token) in (
             select x.i, x.a, x.k from unnest(p_ids, p_attempts, p_lease_tokens) x(i, a, k)) then true end),
  free as materialized (
    select r.id from running r where r.id = any (array(select held.id from held)) order by r.id for update skip locked),
  extended as (
    update running r set lease_expires_at = fairclaim.clock() + make_interval(secs => p_lease)
     where r.id = any (array(select free.id from free))
       and case when (r.id, r.attempt::int, r.lease_token) in (
             select x.i, x.a, x.k from unnest(p_ids, p_attempts, p_lease_tokens) x(i, a, k)) then true end)
  select u.i, u.a,
         coalesce((u.i, u.a, u.k) in (select held.id, held.attempt, held.lease_token from held), false),
         coalesce((u.i, u.a, u.k) in (select held.id, held.attempt, held.lease_token from held where held.cancel_requested), false)
    from unnest(p_ids, p_attempts, p_lease_tokens) u(i, a, k);
end
$$;

comment on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8) is
'The heartbeat: moves the end of leases to now + p_lease seconds (1 to 86,400). Answers a row for each, in order, with the attempts that were given. accepted = false: the lease is lost, stop the work. cancel_requested: somebody asked to cancel the job; stop if you can. Call it when a third of the lease is over, and at once when LISTEN brings the payload cancel. Empty lists answer nothing.
Errors: JQ004.';

grant execute on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8)
  to fairclaim_worker;
