-- The net: rows of `ready` whose lane does not exist. There should be none. Four times a minute, 50 lane numbers at a time (a hop walks over the
-- dead rows of a lane), hopped to through the index.
create or replace function fairclaim_internal.sweep_ready(inout p_state fairclaim_internal.tick_state, p_size int, p_skip uuid[], out swept int)
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_lanes bigint[];
begin
  swept := 0;
  with recursive hop(lane_id) as (
    (select y.lane_id from ready y where y.lane_id > p_state.sweep order by y.lane_id limit 1)
    union all
    select (select y.lane_id from ready y where y.lane_id > hop.lane_id order by y.lane_id limit 1)
      from hop where hop.lane_id is not null)
  select array_agg(z.lane_id) into v_lanes from (select hop.lane_id from hop where hop.lane_id is not null limit 50) z;
  p_state.sweep := case when cardinality(v_lanes) = 50 then v_lanes[50] else -9223372036854775808 end;
  if v_lanes is null then
    return;
  end if;
  with gone as (
    delete from ready y
     where y.ctid = any (array(
       select z.ctid from ready z
        where z.lane_id = any (array(
          select u.l from unnest(v_lanes) u(l) where not exists (select from lane l where l.lane_id = u.l)))
          and z.id <> all (p_skip)
        order by z.lane_id, z.seq limit p_size for update skip locked))
    returning y.*)
  select array_agg(g.tenant_id order by g.seq), array_agg(g.id order by g.seq), array_agg(g.attempts order by g.seq),
         array_agg(g.attempts_left order by g.seq), array_agg(g.lost order by g.seq)
    into v_tenants, v_ids, v_attempts, v_left, v_lost
    from gone g;
  if v_ids is not null then
    swept := to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
  end if;
end
$$;

comment on function fairclaim_internal.sweep_ready(fairclaim_internal.tick_state, int, uuid[]) is 'Puts rows of `ready` that belong to no lane back into lanes.';
