-- Many rows into `ready`: look for the lanes that are there, open what is missing, insert. One statement (I3); what is asked before it
-- only chooses the way. Only in READ COMMITTED. The rows come as they will be, but lane_id is the number of their kind (queue, type and
-- priority, each kind once, from 1) and seq their order: one list of rows costs a fraction of a list for each column, and joins by number
-- a fraction of joins by text. Every pass over the rows is felt, so those whose own lane is found go straight in.
-- Hash joins only: a nested loop over the keys was nine tenths of the time. Own lanes come from one scan of the queues where these have
-- at most twice as many as there are rows, else from one descent for each distinct key. p_since bounds the count of a light tenant's
-- rows; rows that come back have old ids and are counted without it. A job that was lost twice goes to a lane for jobs that run alone.
-- p_capped: new jobs, never lost, and refused when their tenant has too many own lanes in the queue; what comes back is never refused.
create or replace function fairclaim_internal.into_lanes(
  p_rows fairclaim_internal.ready[],
  p_queues text[],
  p_types text[],
  p_priorities smallint[],
  p_since uuid,
  p_capped boolean default false
) returns int
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_nestloop = off
set enable_mergejoin = off
set enable_hashjoin = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_most bigint := 2 * cardinality(p_rows);
  v_size bigint := pg_relation_size('lane');
  v_few boolean := v_size <= 1024 * v_most;      -- a page of `lane` has some seven lanes: see its fillfactor
  v_tenants uuid[];
  v_queues text[];
begin
  if not v_few and v_size <= 8192 * v_most and v_most >= 32 then      -- neither surely few nor probably many
    v_few := v_most >= (
      select count(*) from (
        select from (select distinct x.q collate "C" q from unnest(p_queues) x(q)) d
         cross join lateral (
           select from lane l where l.queue = d.q and l.tenant_id is not null
            order by l.queue, l.turn, l.priority desc, l.lane_id limit v_most + 1) l) z);
  end if;
  with kind as materialized (      -- with the oldest open shared lane; m: the number under which a missing one is opened
    select d.*, d.n m, false alone, lane_group(d.q) g,
           (select l.lane_id from lane l
             where l.tenant_id is null and not l.alone and l.queue = d.q and l.type = d.k and l.priority = d.p and l.drained is null
             order by l.queue, l.type, l.priority, l.lane_id limit 1) lane_id
      from (select x.n, x.q collate "C" q, x.k collate "C" k, x.p
              from unnest(p_queues, p_types, p_priorities) with ordinality x(q, k, p, n)) d
    union all
    select d.*, -min(d.n) over (partition by d.q, d.k), true, lane_group(d.q),
           (select l.lane_id from lane l where l.alone and l.queue = d.q and l.type = d.k and l.drained is null
             order by l.queue, l.type, l.lane_id limit 1)
      from (select x.n, x.q collate "C" q, x.k collate "C" k, 0::smallint p
              from unnest(p_queues, p_types) with ordinality x(q, k, n)
             where not p_capped and exists (select from unnest(p_rows) r where r.lost >= 2)) d),
  item as materialized (           -- each row with its own lane: with each of them, if its key has several
    select r.*, own.lane_id own_id
      from unnest(p_rows) r
      left join (
        select kind.n, l.tenant_id t, l.lane_id
          from lane l join kind on kind.q = l.queue and kind.k = l.type and kind.p = l.priority and not kind.alone
         where v_few and l.queue = any (p_queues collate "C") and l.tenant_id is not null and l.drained is null
        union all
        select kind.n, d.t,
               (select l.lane_id from lane l
                 where l.queue = kind.q and l.type = kind.k and l.turn = uuid_hash_extended(d.t, hashtextextended(kind.q, 0))
                   and l.priority = kind.p and l.tenant_id = d.t and l.drained is null limit 1)
          from (select distinct r.lane_id n, r.tenant_id t from unnest(p_rows) r) d join kind on kind.n = d.n and not kind.alone
         where not v_few) own on own.n = r.lane_id and own.t = r.tenant_id and r.lost < 2),
  rest as materialized (           -- those without one; light: what is there and what comes now make 8 at most
    select item.*, kind.m, kind.lane_id shared_id,
           kind.alone or coalesce(light.yes, false) and (kind.lane_id is not null or kind.g in (
             select d.g from (select distinct k.g, k.q from kind k where k.lane_id is null and not k.alone) d
              where (select count(*) from (
                       select from lane l where l.tenant_id is null and not l.alone and l.queue = d.q
                        limit (select s.max_shared_lanes from setting s)) z)
                    < (select s.max_shared_lanes from setting s))) as shares
      from item
      join kind on kind.n = item.lane_id and kind.alone = (item.lost >= 2)
      left join (
        select w.g, w.t,
               w.c <= 8
               and not ((select exists (select from tenant_limit))
                        and exists (select from tenant_limit b where b.tenant_id = w.t))
               and not exists (
                     select from ready y
                      where y.tenant_id = w.t and (y.lane_id >> 32) = w.g and y.id >= p_since
                     offset greatest(0, 8 - w.c)) yes
          from (select kind.g, item.tenant_id t, count(*) c
                  from item join kind on kind.n = item.lane_id and not kind.alone
                 where item.own_id is null and item.lost < 2 group by 1, 2) w
        offset 0) light on light.g = kind.g and light.t = item.tenant_id
     where item.own_id is null),
  opened as materialized (
    select d.m, null::uuid t, (kind.g << 32) + (nextval('lane_lane_id_seq') & 4294967295) lane_id
      from (select distinct rest.m from rest where rest.shares and rest.shared_id is null) d
      join kind on kind.n = abs(d.m) and kind.alone = (d.m < 0)
    union all
    select d.m, d.t, nextval('lane_lane_id_seq')
      from (select distinct rest.m, rest.tenant_id t from rest where not rest.shares) d),
  made as (
    insert into lane (lane_id, turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type, alone)
    overriding system value
    select opened.lane_id, case when opened.t is null then 0 else uuid_hash_extended(opened.t, hashtextextended(kind.q, 0)) end,
           0, v_now, v_now, opened.t, coalesce((select t.weight from tenant t where t.tenant_id = opened.t), 1),
           kind.p, kind.q, kind.k, kind.alone
      from opened join kind on kind.n = abs(opened.m) and kind.alone = (opened.m < 0)
    returning tenant_id, queue),
  placed as (
    insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
    select z.lane_id, z.id, z.tenant_id, z.attempts, z.attempts_left, z.lost
      from (select distinct on (seq) x.*
              from (select item.own_id lane_id, item.seq, item.id, item.tenant_id, item.attempts, item.attempts_left, item.lost
                      from item where item.own_id is not null
                    union all
                    select rest.shared_id, rest.seq, rest.id, rest.tenant_id, rest.attempts, rest.attempts_left, rest.lost
                      from rest where rest.shares and rest.shared_id is not null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id, rest.attempts, rest.attempts_left, rest.lost
                      from rest join opened on opened.m = rest.m and opened.t is null
                     where rest.shares and rest.shared_id is null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id, rest.attempts, rest.attempts_left, rest.lost
                      from rest join opened on opened.m = rest.m and opened.t = rest.tenant_id
                     where not rest.shares) x
             order by seq, lane_id) z)
  select array_agg(made.tenant_id), array_agg(made.queue) into v_tenants, v_queues from made where made.tenant_id is not null;
  if v_tenants is not null and p_capped then
    perform check_lanes(v_tenants, v_queues);
  end if;
  return cardinality(p_rows);
end
$$;

comment on function fairclaim_internal.into_lanes(fairclaim_internal.ready[], text[], text[], smallint[], uuid, boolean) is
'Puts many jobs into the lanes where they wait, and makes the lanes that are missing. Each row has the number of its queue, type and priority in the lists as lane_id, and its place in the order as seq. Returns how many. Errors: JQ003 when p_capped is true and a tenant has too many own lanes in a queue.';
