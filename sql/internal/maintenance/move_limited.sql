-- Moves the jobs of tenants that stay at a limit from shared lanes to own lanes, a slice of tenants
-- at a time: claims would pass over them each time. Dispatches put none there any more. They are
-- found by their tenant. Locks rows of `ready` (skip locked).
create or replace function fairclaim_internal.move_limited(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out moved int
)
language plpgsql
as $$
declare
  v_last bigint;
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
begin
  moved := 0;
  if not exists (select from at_limit where at_limit.is_stable) then
    return;
  end if;
  with slice as materialized (
    select at_limit.at_limit_id, at_limit.tenant_id, at_limit.queue from at_limit
     where at_limit.is_stable and at_limit.at_limit_id > p_state.limit_slice
     order by at_limit.at_limit_id limit 1000),
  locked as materialized (
    select misplaced.place
      from slice
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = slice.tenant_id and (ready.lane_id >> 32) < 0
          and ready.id <> all (p_skip)
          and exists (select from lane
                       where lane.lane_id = ready.lane_id and lane.tenant_id is null
                         and not lane.alone and slice.queue in ('', lane.queue))
          for update skip locked) misplaced
     limit p_size),
  gone as (
    delete from ready where ready.ctid = any (array(select locked.place from locked))
    returning ready.*)
  select array_agg(gone.tenant_id order by gone.seq),
         array_agg(gone.id order by gone.seq),
         array_agg(gone.attempts order by gone.seq),
         array_agg(gone.attempts_left order by gone.seq),
         array_agg(gone.lost order by gone.seq),
         array_agg(gone.watched order by gone.seq),
         (select case when count(*) = 1000 then max(slice.at_limit_id) else 0 end from slice)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched, v_last
    from gone;
  if v_ids is not null then
    moved := to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  end if;
  if moved < p_size then
    p_state.limit_slice := v_last;
  end if;
end
$$;

comment on function fairclaim_internal.move_limited(fairclaim_internal.tick_state, int, uuid[]) is
'Moves jobs of tenants that stay at a limit from shared lanes to own lanes, and returns how many.';
