-- Who is next: the rest of the quantum of the cursor's tenant, the others in turn, the cursor's tenant again. Read only. At most p_walk tenants.
-- Types are not looked at: where they cover most of what waits, which is usual, the walk is the same for all of them, and who has none
-- of them gives nothing. Nearly always a tenant has a lane or two, and a stretch of the index has all of them; where it has few tenants with
-- many lanes each, the tenants are hopped to one by one, so that nobody is seen more often for having more lanes.
create or replace function fairclaim.next_turns(
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
  t record;
begin
  select array_agg(w.turn), array_agg(w.tenant_id), array_agg(w.weight)
    into turns, tenants, weights
    from ((select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int
             from (select l.turn, l.tenant_id, l.weight from fairclaim.lane l
                    where l.tenant_id is not null and l.queue = p_queue and l.turn >= p_pos order by l.turn limit v_look) l
            where l.turn > p_pos or p_used = 0 or l.weight > p_used
            order by l.turn limit p_walk)
          union all
          (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int
             from (select l.turn, l.tenant_id, l.weight from fairclaim.lane l
                    where l.tenant_id is not null and l.queue = p_queue and l.turn <= p_pos order by l.turn limit v_look) l
            where l.turn < p_pos or p_used > 0
            order by l.turn limit p_walk)
          limit p_walk) w;
  if cardinality(turns) < p_walk
     and (select count(*) from (select from fairclaim.lane l where l.tenant_id is not null and l.queue = p_queue limit v_look) z) >= v_look then
    t := fairclaim.hop_turns(p_queue, p_pos, p_used, p_walk);
    turns := t.turns; tenants := t.tenants; weights := t.weights;
  end if;
end
$$;

comment on function fairclaim.next_turns(text, bigint, int, int) is
'The tenants with own lanes whose turn is next, and their weights.';
