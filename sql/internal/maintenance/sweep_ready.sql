-- The safety net: it finds rows of `ready` whose lane does not exist. There should be none. It runs
-- four times a minute and looks at 50 lane numbers each time, since a hop walks over the dead rows
-- of a lane; it hops to them through the index.
create or replace function fairclaim_internal.sweep_ready(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out swept int
)
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
  v_lanes bigint[];
begin
  swept := 0;
  with recursive hop(lane_id) as (
    (select ready.lane_id from ready
      where ready.lane_id > p_state.sweep order by ready.lane_id limit 1)
    union all
    select (select ready.lane_id from ready
             where ready.lane_id > hop.lane_id order by ready.lane_id limit 1)
      from hop where hop.lane_id is not null)
  select array_agg(met.lane_id) into v_lanes
    from (select hop.lane_id from hop where hop.lane_id is not null limit 50) met;
  p_state.sweep := case when cardinality(v_lanes) = 50 then v_lanes[50]
                        else -9223372036854775808 end;
  if v_lanes is null then
    return;
  end if;
  with gone as (
    delete from ready
     where ready.ctid = any (array(
       select stray.ctid from ready stray
        where stray.lane_id = any (array(
          select met.lane_id from unnest(v_lanes) met(lane_id)
           where not exists (select from lane where lane.lane_id = met.lane_id)))
          and stray.id <> all (p_skip)
        order by stray.lane_id, stray.seq limit p_size for update skip locked))
    returning ready.*)
  select array_agg(gone.tenant_id order by gone.seq),
         array_agg(gone.id order by gone.seq),
         array_agg(gone.attempts order by gone.seq),
         array_agg(gone.attempts_left order by gone.seq),
         array_agg(gone.lost order by gone.seq),
         array_agg(gone.watched order by gone.seq)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from gone;
  if v_ids is not null then
    swept := to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  end if;
end
$$;

comment on function fairclaim_internal.sweep_ready(fairclaim_internal.tick_state, int, uuid[]) is
'Puts rows of `ready` that belong to no lane back into lanes.';
