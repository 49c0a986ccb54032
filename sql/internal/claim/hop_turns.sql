-- As next_turns, where tenants have many lanes each: one index descent a tenant, whatever the
-- number of its lanes.
-- stretch: 0 the cursor's tenant with the rest of its quantum, 1 the turns after it, 2 those before
-- it, 3 the cursor's tenant again.
create or replace function fairclaim_internal.hop_turns(
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
begin
  with recursive hop(stretch, turn, tenant_id, weight) as (
    (select * from (
       (select 0, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn = p_pos
           and (p_used = 0 or lane.weight > p_used) limit 1)
       union all
       (select 1, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn > p_pos
         order by lane.turn limit 1)
       union all
       (select 2, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn < p_pos
         order by lane.turn limit 1)
       limit 1) first)
    union all
    select next.* from hop
     cross join lateral (
       (select 1, lane.turn, lane.tenant_id, lane.weight::int from lane
         where hop.stretch < 2 and lane.walked and lane.queue = p_queue
           and lane.turn > hop.turn
         order by lane.turn limit 1)
       union all
       (select 2, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn < p_pos
           and lane.turn > case when hop.stretch = 2 then hop.turn else -9223372036854775808 end
         order by lane.turn limit 1)
       union all
       (select 3, lane.turn, lane.tenant_id, lane.weight::int from lane
         where hop.stretch < 3 and p_used > 0 and lane.walked
           and lane.queue = p_queue and lane.turn = p_pos limit 1)
       limit 1) next
     where hop.stretch < 3)
  select array_agg(walk.turn), array_agg(walk.tenant_id), array_agg(walk.weight)
    into turns, tenants, weights
    from (select * from hop limit p_walk) walk;
end
$$;

comment on function fairclaim_internal.hop_turns(text, bigint, int, int) is
'As next_turns, one index descent a tenant: for tenants with many lanes.';
