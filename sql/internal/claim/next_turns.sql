-- Whose turn is next: the rest of the quantum of the cursor's tenant, the others in turn, the
-- cursor's tenant again. Read only, at most p_walk tenants. Types are not looked at: where they
-- cover most of what waits, which is usual, the walk is the same for all of them, and a tenant that
-- has none of them gives nothing. Nearly always a tenant has a lane or two, and a stretch of the
-- index has all of them; where it has few tenants with many lanes each, the tenants are hopped to
-- one by one, so that no tenant is seen more often for having more lanes.
create or replace function fairclaim_internal.next_turns(
  p_queue text,
  p_pos bigint,
  p_used int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out weights int[]
)
language plpgsql
as $$
declare
  v_look int := 2 * p_walk;
  v_lanes int;
begin
  select array_agg(next.turn), array_agg(next.tenant_id), array_agg(next.weight)
    into turns, tenants, weights
    from ((select distinct on (ahead.turn) ahead.turn, ahead.tenant_id, ahead.weight::int
             from (select lane.turn, lane.tenant_id, lane.weight from lane
                    where lane.walked and lane.queue = p_queue and lane.turn >= p_pos
                    order by lane.turn limit v_look) ahead
            where ahead.turn > p_pos or p_used = 0 or ahead.weight > p_used
            order by ahead.turn limit p_walk)
          union all
          (select distinct on (around.turn) around.turn, around.tenant_id, around.weight::int
             from (select lane.turn, lane.tenant_id, lane.weight from lane
                    where lane.walked and lane.queue = p_queue and lane.turn <= p_pos
                    order by lane.turn limit v_look) around
            where around.turn < p_pos or p_used > 0
            order by around.turn limit p_walk)
          limit p_walk) next;
  if cardinality(turns) < p_walk then
    select count(*) into v_lanes
      from (select from lane
             where lane.walked and lane.queue = p_queue limit v_look) some_lanes;
    if v_lanes >= v_look then
      select hop.turns, hop.tenants, hop.weights into turns, tenants, weights
        from hop_turns(p_queue, p_pos, p_used, p_walk) hop;
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.next_turns(text, bigint, int, int) is
'The tenants with own lanes whose turn is next, and their weights.';
