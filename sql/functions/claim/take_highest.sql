-- What tenants give at their turn where priorities are in use: the highest that each has, the oldest first among equals, of its rows in
-- these shared lanes (a light tenant has a few) and in its own lanes of at least p_least. For each: how many, in p_counts. Bounded:
-- 64 rows of shared lanes a tenant, and by index as many rows of own lanes as it is to give. A tenant's rows are found by the tenant: the
-- lane is asked for in a form that no index has, since statistics of a moment at which nearly nothing waits would choose the lane, and
-- walk its dead rows. First read only, then exactly the chosen rows are locked, skip locked: rows of `ready` are never updated, so a ctid
-- names one for as long as the snapshot that saw it. Whoever meets another claim on all of them gets nothing here and takes what follows
-- (take_own, take_shared).
create or replace function fairclaim.take_highest(
  p_queue text,
  p_types text[],
  p_lanes bigint[],
  p_priorities smallint[],
  p_least int,
  p_tenants uuid[],
  p_counts int[],
  p_limit int,
  out ordinals int[],
  out lanes bigint[],
  out ids uuid[],
  out tenants uuid[],
  out attempts int[],
  out lefts smallint[],
  out losts smallint[]
)
language plpgsql
set enable_sort = on
as $$
begin
  with chosen as materialized (
    select p.o::int o, x.*
      from unnest(p_tenants, p_counts) with ordinality p(t, k, o)
     cross join lateral (
       select * from (
         (select y.c, y.lane_id, y.seq, m.priority
            from (select y.ctid c, y.lane_id, y.seq from fairclaim.ready y
                   where y.tenant_id = p.t and (y.lane_id >> 32) = fairclaim.lane_group(p_queue) and array_position(p_lanes, y.lane_id) is not null limit 64) y
           cross join lateral (select p_priorities[array_position(p_lanes, y.lane_id)] priority offset 0) m)
         union all
         (select y.c, l.lane_id, y.seq, l.priority
            from (select l.lane_id, l.floor, l.priority from fairclaim.lane l
                   where l.tenant_id is not null and l.queue = p_queue and l.turn = uuid_hash_extended(p.t, hashtextextended(p_queue, 0))
                     and l.tenant_id = p.t and l.priority >= p_least and (p_types is null or l.type = any (p_types))
                   order by l.queue, l.turn, l.priority desc, l.lane_id) l
           cross join lateral (
             select y.ctid c, y.seq from fairclaim.ready y
              where y.lane_id = l.lane_id and y.seq >= l.floor order by y.lane_id, y.seq limit p.k) y
           limit p.k)) w
        order by w.priority desc, w.seq limit p.k) x
     where p.k > 0
     order by p.o limit p_limit),
  locked as materialized (
    select y.ctid c, y.* from fairclaim.ready y where y.ctid = any (array(select chosen.c from chosen)) for update skip locked),
  gone as (
    delete from fairclaim.ready y where y.ctid = any (array(select locked.c from locked))),
  taken as (
    select h.o, g.* from locked g join chosen h on h.c = g.c order by h.o, h.priority desc, h.seq)
  select array_agg(taken.o), array_agg(taken.lane_id), array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.attempts + 1),
         array_agg(taken.attempts_left), array_agg(taken.lost)
    into ordinals, lanes, ids, tenants, attempts, lefts, losts
    from taken;
end
$$;

comment on function fairclaim.take_highest(text, text[], bigint[], smallint[], int, uuid[], int[], int) is
'Takes the highest jobs of tenants out of shared and own lanes. ordinals: which of p_tenants a row belongs to.';
