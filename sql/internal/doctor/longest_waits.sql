-- What waits longest, by queue and type. Bounded: at most 200 pairs, hopped to through the two
-- indexes of lanes, and of each at most 20 lanes, of which the first row is read. Lanes of limited
-- tenants are left out: they wait for their limit. So are jobs that run alone: findings_of_suspects
-- has them.
create or replace function fairclaim_internal.longest_waits() returns table (queue text, type text, paused boolean, runs boolean, waits float8)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive own(q, t) as (
    (select l.queue, l.type from lane l where l.tenant_id is not null order by l.queue, l.type limit 1)
    union all
    select n.q, n.t from own cross join lateral (
      select l.queue, l.type from lane l where l.tenant_id is not null and (l.queue, l.type) > (own.q, own.t)
       order by l.queue, l.type limit 1) n(q, t)),
  shared(q, t) as (
    (select l.queue, l.type from lane l where l.tenant_id is null and not l.alone order by l.queue, l.type limit 1)
    union all
    select n.q, n.t from shared cross join lateral (
      select l.queue, l.type from lane l where l.tenant_id is null and not l.alone and (l.queue, l.type) > (shared.q, shared.t)
       order by l.queue, l.type limit 1) n(q, t)),
  pair(q, t) as materialized (
    select q, t from (select * from own limit 100) o union select q, t from (select * from shared limit 100) s),
  lanes as materialized (
    select p.q, p.t, l.lane_id, l.floor from pair p
     cross join lateral (
       (select l.lane_id, l.floor from lane l
         where l.queue = p.q and l.type = p.t and l.tenant_id is null and not l.alone order by l.lane_id limit 5)
       union all
       (select l.lane_id, l.floor from lane l
         where l.queue = p.q and l.type = p.t and l.tenant_id is not null
           and not exists (select from tenant_limit b where b.tenant_id = l.tenant_id)
         order by l.turn limit 15)) l),
  oldest as materialized (
    select n.q, n.t, min(greatest(j.created_at, j.run_at)) as since
      from lanes n
     cross join lateral (
       select y.id, y.tenant_id from ready y
        where y.lane_id = n.lane_id and y.seq >= n.floor order by y.lane_id, y.seq limit 1) y
     cross join lateral (
       select j.created_at, j.run_at from job j where j.tenant_id = y.tenant_id and j.id = y.id offset 0) j
     group by n.q, n.t),
  runs as materialized (
    select distinct j.queue as q, j.type as t
      from (select g.id, g.tenant_id from running g limit 2000) g
     cross join lateral (
       select j.queue, j.type from job j where j.tenant_id = g.tenant_id and j.id = g.id offset 0) j)
  select o.q, o.t, exists (select from queue x where x.name = o.q and x.paused_at is not null),
         exists (select from runs r where r.q = o.q and r.t = o.t),
         date_part('epoch', fairclaim.clock() - o.since)
    from oldest o order by o.since limit 100
$$;

comment on function fairclaim_internal.longest_waits() is
'Gives the queues and types in which jobs wait, those that wait longest first: for how many seconds the oldest job seen has been due, whether the queue is paused, and whether any job of the type runs. A sample that looks at a bounded number of lanes.';
