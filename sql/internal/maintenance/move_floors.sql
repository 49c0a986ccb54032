-- Floors. Own lanes: only those that claims have hinted at, read behind the last hint; all hints four times a minute. Shared lanes: a slice
-- of 200, when at least 500 numbers are skipped. All lanes share the numbers, so the more lanes there are, the fewer rows of one lane are
-- among 500 numbers, and the more numbers have to be skipped: each moved floor is a dead row of `lane` for as long as somebody holds a
-- snapshot. The same look finds the oldest waiting shared row, for shared_since (30 s back at most), notes that a shared lane is in use, and
-- tells whether any shared row waits. Passes over locked lanes: a tick that was passed may hold them.
create or replace function fairclaim_internal.move_floors(inout p_state fairclaim_internal.tick_state, p_all boolean, out moved int, out waiting boolean)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_seen int;
  v_last bigint;
  v_first_id uuid;
  v_whole boolean := p_state.shared_slice = -9223372036854775808;
  v_ms bigint := millis(p_state.at);
begin
  with gone as (
    delete from floor_hint f
     where f.ctid = any (array(
       select z.ctid from floor_hint z
        where z.hint_id > case when p_all then 0 else p_state.hint end
        order by z.hint_id limit 5000 for update skip locked))
    returning f.hint_id, f.lane_id)
  select array_agg(distinct g.lane_id), coalesce(max(g.hint_id), p_state.hint) into v_lanes, p_state.hint from gone g;

  with own as (
    update lane l set floor = m.floor
      from (select z.c, m.floor
              from (select o.lane_id, o.floor was, least(p_state.safe, coalesce(y.seq, p_state.safe)) floor
                      from lane o
                      left join lateral (
                        select y.seq from ready y
                         where y.lane_id = o.lane_id and y.seq >= o.floor order by y.lane_id, y.seq limit 1) y on true
                     where o.lane_id = any (v_lanes) and o.tenant_id is not null) m
             cross join lateral (
               select z.ctid c from lane z where z.lane_id = m.lane_id and m.floor > m.was for update skip locked) z) m
     where l.ctid = m.c
    returning 1),
  look as materialized (
    select s.lane_id, s.floor, s.used_at, least(p_state.shared_safe, coalesce(y.seq, p_state.shared_safe)) next_floor, y.id
      from (select l.lane_id, l.floor, l.used_at from lane l
             where l.tenant_id is null and l.lane_id > p_state.shared_slice order by l.lane_id limit 200) s
      left join lateral (
        select y.seq, y.id from ready y
         where y.lane_id = s.lane_id and y.seq >= s.floor order by y.lane_id, y.seq limit 1) y on true),
  shared as (
    update lane l
       set floor = case when k.moves then k.next_floor else l.floor end,
           used_at = case when k.id is not null then p_state.at else l.used_at end
      from (select k.*, z.c
              from (select look.*, look.next_floor >= look.floor + least(5000, 500 * greatest(1, count(*) over () / 20)) as moves from look) k
             cross join lateral (
               select z.ctid c from lane z
                where z.lane_id = k.lane_id
                  and (k.moves or k.id is not null and k.used_at < p_state.at - interval '1 minute')
                  for update skip locked) z) k
     where l.ctid = k.c
    returning 1)
  select (select count(*) from own) + (select count(*) from shared), count(*), max(look.lane_id), min(look.id::text)::uuid, count(look.id) > 0 or count(*) = 200
    into moved, v_seen, v_last, v_first_id, waiting
    from look;

  waiting := waiting or not v_whole;
  if v_seen < 200 and v_whole then            -- all shared lanes were seen
    perform setval('shared_since', greatest(v_ms - 30000, least(v_ms,
      coalesce(('x' || left(replace(v_first_id::text, '-', ''), 12))::bit(48)::bigint, v_ms))));
  else
    perform setval('shared_since', v_ms - 30000);
  end if;
  p_state.shared_slice := case when v_seen < 200 then -9223372036854775808 else v_last end;
end
$$;

comment on function fairclaim_internal.move_floors(fairclaim_internal.tick_state, boolean) is
'Moves the floors of lanes, where claims start, up to the first row that waits.';
