-- As next_turns, where tenants have many lanes each: one index descent a tenant, whatever the number of its lanes.
create or replace function fairclaim.hop_turns(
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
  with recursive hop(g, turn, t, w) as (
    (select * from (
       (select 0, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where l.tenant_id is not null and l.queue = p_queue and l.turn = p_pos and (p_used = 0 or l.weight > p_used) limit 1)
       union all
       (select 1, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where l.tenant_id is not null and l.queue = p_queue and l.turn > p_pos order by l.turn limit 1)
       union all
       (select 2, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where l.tenant_id is not null and l.queue = p_queue and l.turn < p_pos order by l.turn limit 1)
       limit 1) first)
    union all
    select n.* from hop
     cross join lateral (
       (select 1, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where hop.g < 2 and l.tenant_id is not null and l.queue = p_queue and l.turn > hop.turn order by l.turn limit 1)
       union all
       (select 2, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where l.tenant_id is not null and l.queue = p_queue and l.turn > case when hop.g = 2 then hop.turn else -9223372036854775808 end
           and l.turn < p_pos order by l.turn limit 1)
       union all
       (select 3, l.turn, l.tenant_id, l.weight::int from fairclaim.lane l
         where hop.g < 3 and p_used > 0 and l.tenant_id is not null and l.queue = p_queue and l.turn = p_pos limit 1)
       limit 1) n
     where hop.g < 3)
  select array_agg(w.turn), array_agg(w.t), array_agg(w.w) into turns, tenants, weights
    from (select * from hop limit p_walk) w;
end
$$;

comment on function fairclaim.hop_turns(text, bigint, int, int) is
'As next_turns, one index descent a tenant: for tenants with many lanes.';
