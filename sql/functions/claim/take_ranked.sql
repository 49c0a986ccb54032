-- As take_shared, for a queue in which a priority is in use. Whose turn it is, is told by the places in line, whatever the priorities; what
-- a tenant gives at its turn is the highest it has: of its rows in these lanes (a light tenant has a few) and of the first rows of
-- its own lanes of a priority above 0. Bounded: p_limit places, and for each tenant among them 64 rows of shared lanes and, by index,
-- as many rows of own lanes as it has places. First read only, then exactly the chosen rows are locked, skip locked; `ready` rows are never updated,
-- so a ctid names a row for as long as the snapshot that saw it.
create or replace function fairclaim.take_ranked(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_priorities smallint[],
  p_limit int,
  p_types text[],
  p_limited boolean,
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
  with place as materialized (
    select z.tenant_id t, count(*) k, min(z.seq) first
      from (select y.tenant_id, y.seq
              from unnest(p_lanes, p_floors) u(l, f)
             cross join lateral (
               select y.tenant_id, y.seq from fairclaim.ready y
                where y.lane_id = u.l and y.seq >= u.f
                  and (not p_limited or not exists (select from fairclaim.tenant_limit b where b.tenant_id = y.tenant_id))
                order by y.lane_id, y.seq limit p_limit) y
             order by y.seq limit p_limit) z
     group by z.tenant_id),
  chosen as materialized (
    select p.first, x.*
      from place p
     cross join lateral (
       select * from (
         select y.c, y.seq, m.priority
           from (select y.ctid c, y.seq, y.lane_id from fairclaim.ready y
                  where y.tenant_id = p.t and (y.lane_id >> 32) = fairclaim.lane_group(p_queue)
                    and y.lane_id = any (p_lanes) limit 64) y
          cross join lateral (select p_priorities[array_position(p_lanes, y.lane_id)] priority offset 0) m
         union all
         select y.c, y.seq, o.priority
           from fairclaim.lane o
          cross join lateral (
            select y.ctid c, y.seq from fairclaim.ready y
             where y.lane_id = o.lane_id and y.seq >= o.floor order by y.lane_id, y.seq limit p.k) y
          where o.queue = p_queue and (o.priority > 0 or o.priority < 0 and o.tenant_id is null)
            and o.tenant_id = p.t and o.priority > 0 and (p_types is null or o.type = any (p_types))) w
        order by w.priority desc, w.seq limit p.k) x),
  locked as materialized (
    select y.ctid c, y.* from fairclaim.ready y where y.ctid = any (array(select chosen.c from chosen)) for update skip locked),
  gone as (
    delete from fairclaim.ready y where y.ctid = any (array(select locked.c from locked)))
  select array_agg(g.id order by h.first, h.priority desc, h.seq), array_agg(g.tenant_id order by h.first, h.priority desc, h.seq),
         array_agg(g.attempts + 1 order by h.first, h.priority desc, h.seq), array_agg(g.attempts_left order by h.first, h.priority desc, h.seq),
         array_agg(g.lost order by h.first, h.priority desc, h.seq)
    into ids, tenants, attempts, lefts, losts
    from locked g join chosen h on h.c = g.c;
end
$$;

comment on function fairclaim.take_ranked(text, bigint[], bigint[], smallint[], int, text[], boolean) is
'Takes jobs out of shared lanes where priorities are in use: tenants by their place in line, and of each its highest jobs.';
