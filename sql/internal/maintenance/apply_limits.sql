-- A new limit takes effect when the claims that were open when it was set have ended. Only then are
-- all of the tenant's running jobs marked, so that counting them is exact. Until then none of its
-- jobs is claimed. Rows of limited tenants in shared lanes move to own lanes. Locks rows of
-- tenant_limit, of `running` and of `ready`, in this order and each skip locked.
create or replace function fairclaim_internal.apply_limits(
  p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  if not exists (select from tenant_limit) then
    return 0;
  end if;
  update tenant_limit set seen = p_state.n, seen_at = p_state.at
   where tenant_limit.tenant_id = any (array(
     select unseen.tenant_id from tenant_limit unseen
      where unseen.seen is null for update skip locked));
  with ripe as materialized (
    select tenant_limit.tenant_id from tenant_limit
     where not tenant_limit.active and tenant_limit.seen + 1 < p_state.oldest
       and tenant_limit.seen < p_state.n)
  update running set limited = true
   where running.id = any (array(
     select unmarked.id from running unmarked
      where not unmarked.limited and unmarked.tenant_id in (select ripe.tenant_id from ripe)
        for update skip locked));
  update tenant_limit set active = true
   where tenant_limit.tenant_id = any (array(
     select ripe.tenant_id from tenant_limit ripe
      where not ripe.active and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n
        and not exists (
              select from running where not running.limited and running.tenant_id = ripe.tenant_id)
        for update skip locked));

  -- It only reads at first: a lock on a row of a tenant without a limit would hide it from claims.
  with misplaced as materialized (
    select waiting.lane_id, waiting.seq
      from (select lane.lane_id, lane.floor from lane
             where lane.tenant_id is null and lane.lane_id > p_state.shared_slice
             order by lane.lane_id limit 200) shared
     cross join lateral (
       select ready.lane_id, ready.seq, ready.id, ready.tenant_id from ready
        where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
        order by ready.lane_id, ready.seq limit 1000) waiting
     where exists (select from tenant_limit where tenant_limit.tenant_id = waiting.tenant_id)
       and waiting.id <> all (p_skip)
     limit p_size),
  locked as materialized (
    select found.place from misplaced
     cross join lateral (
       select ready.ctid as place from ready
        where ready.lane_id = misplaced.lane_id and ready.seq = misplaced.seq
          for update skip locked) found),
  gone as (
    delete from ready where ready.ctid = any (array(select locked.place from locked))
    returning ready.*)
  select array_agg(gone.tenant_id order by gone.seq),
         array_agg(gone.id order by gone.seq),
         array_agg(gone.attempts order by gone.seq),
         array_agg(gone.attempts_left order by gone.seq),
         array_agg(gone.lost order by gone.seq)
    into v_tenants, v_ids, v_attempts, v_left, v_lost
    from gone;
  if v_ids is null then
    return 0;
  end if;
  return to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
end
$$;

comment on function fairclaim_internal.apply_limits(fairclaim_internal.tick_state, int, uuid[]) is
'Puts new limits into effect and moves limited tenants'' jobs from shared lanes to own lanes. Returns how many moved.';
