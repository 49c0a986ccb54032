-- Who is next: the rest of the quantum of the cursor's tenant, the others in turn, the cursor's tenant again. Read only. At most
-- p_walk tenants; quantum: the weight, times what is needed if the whole round is shorter than the window, and else once for every 64 that are
-- asked for: who claims hundreds at a time would pay for as many visits. Types are not looked at: where
-- they cover most of what waits, which is usual, the walk is the same for all of them, and who has none of them gives nothing.
-- Nearly always a tenant has a lane or two, and a stretch of the index has all of them; where it has few tenants with many lanes each,
-- the tenants are hopped to one by one, so that nobody is seen more often for having more lanes.
create or replace function fairclaim.next_turns(
  p_queue text,
  p_pos bigint,
  p_used int,
  p_limit int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out quanta int[],
  out weights int[]
)
language plpgsql
as $$
declare
  v_look int := 2 * p_walk;
begin
  select array_agg(w.turn), array_agg(w.t), array_agg(case when w.first then w.w * w.m - p_used else w.w * w.m end), array_agg(w.w)
    into turns, tenants, quanta, weights
    from (select s.*, case when count(*) over () < p_walk then greatest(1, p_limit / sum(s.w) over ()) else greatest(1, p_limit / 64) end::int m
            from ((select l.turn, l.tenant_id t, l.weight::int w, p_used > 0 as first from fairclaim.lane l
                    where l.tenant_id is not null and l.queue = p_queue and l.turn = p_pos and (p_used = 0 or l.weight > p_used)
                    limit 1)
                  union all
                  (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, false
                     from (select l.turn, l.tenant_id, l.weight from fairclaim.lane l
                            where l.tenant_id is not null and l.queue = p_queue and l.turn > p_pos order by l.turn limit v_look) l
                    order by l.turn limit p_walk)
                  union all
                  (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, false
                     from (select l.turn, l.tenant_id, l.weight from fairclaim.lane l
                            where l.tenant_id is not null and l.queue = p_queue and l.turn < p_pos order by l.turn limit v_look) l
                    order by l.turn limit p_walk)
                  union all
                  (select l.turn, l.tenant_id, l.weight::int, false from fairclaim.lane l
                    where l.tenant_id is not null and l.queue = p_queue and l.turn = p_pos and p_used > 0
                    limit 1)
                  limit p_walk) s) w;
  if cardinality(turns) < p_walk
     and (select count(*) from (select from fairclaim.lane l where l.tenant_id is not null and l.queue = p_queue limit v_look) z) >= v_look then
    select n.turns, n.tenants, n.quanta, n.weights into turns, tenants, quanta, weights
      from fairclaim.hop_turns(p_queue, p_pos, p_used, p_limit, p_walk) n;
  end if;
end
$$;

comment on function fairclaim.next_turns(text, bigint, int, int, int) is
'The tenants with own lanes whose turn is next, with how many jobs each may give.';
