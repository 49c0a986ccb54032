-- Tells tick which floors should move: about one hint for 32 jobs taken, and as often one for a lane that was probed in
-- vain (its dead prefix grows with every probe, and nobody takes from it). Returns true, so that it can be called in an expression.
drop function if exists fairclaim.leave_hints(text, bigint[], int, int[], bigint[]);      -- before it returned something
create or replace function fairclaim.leave_hints(p_queue text, p_turns bigint[], p_probed int, p_ordinals int[], p_lanes bigint[]) returns boolean
language plpgsql
as $$
declare
  v_took int := coalesce(cardinality(p_lanes), 0);
  v_dry int;
begin
  if v_took >= 20 then
    insert into fairclaim.floor_hint (lane_id) select distinct x.l from unnest(p_lanes) x(l) where random() < 0.03;
  elsif random() < v_took * 0.03 then
    insert into fairclaim.floor_hint (lane_id) values (p_lanes[1 + floor(random() * v_took)::int]);
  end if;
  if random() < (p_probed - v_took) * 0.03 then
    v_dry := 1 + floor(random() * p_probed)::int;                           -- one of those probed; a hint if it gave nothing
    insert into fairclaim.floor_hint (lane_id)
    select l.lane_id from fairclaim.lane l
     where l.tenant_id is not null and l.queue = p_queue and l.turn = p_turns[v_dry] and v_dry <> all (coalesce(p_ordinals, '{}'))
     order by l.queue, l.turn, l.priority desc, l.lane_id limit 4;
  end if;
  return true;
end
$$;

comment on function fairclaim.leave_hints(text, bigint[], int, int[], bigint[]) is 'Hints for tick: lanes whose floor should move.';
