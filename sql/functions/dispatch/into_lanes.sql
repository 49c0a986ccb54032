-- Many rows into `ready`: one look at lanes per distinct key and one at waiting rows per tenant, open what is missing, insert. One
-- statement (I3). Hash joins only: a nested loop over the keys was nine tenths of the time. p_since bounds the count of a light
-- tenant's rows; rows that come back have old ids and are counted without it. Only in READ COMMITTED.
-- A job that was lost twice goes to a lane for jobs that run alone. p_capped: a new job, which is refused when its tenant has too
-- many own lanes in the queue; what comes back is never refused.
create or replace function fairclaim.into_lanes(
  p_tenants uuid[],
  p_ids uuid[],
  p_queues text[],
  p_types text[],
  p_priorities smallint[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[],
  p_since uuid,
  p_capped boolean default false
) returns int
language plpgsql
set jit = off
set enable_seqscan = off
set enable_nestloop = off
set enable_mergejoin = off
set enable_hashjoin = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_made boolean;
  v_n int;
begin
  with item as materialized (
    select x.o, x.t, x.i, x.q collate "C" q, x.k collate "C" k, case when x.z >= 2 then 0 else x.p end p, x.a, x.l, x.z, x.z >= 2 alone
      from unnest(p_tenants, p_ids, p_queues, p_types, p_priorities, p_attempts, p_left, p_lost)
           with ordinality x(t, i, q, k, p, a, l, z, o)),
  shared as materialized (        -- the oldest open shared lane of each key
    select d.q, d.k, d.p, d.alone,
           case when d.alone then
             (select l.lane_id from fairclaim.lane l where l.alone and l.queue = d.q and l.type = d.k and l.drained is null
               order by l.queue, l.type, l.lane_id limit 1)
           else
             (select l.lane_id from fairclaim.lane l
               where l.tenant_id is null and not l.alone and l.queue = d.q and l.type = d.k and l.priority = d.p and l.drained is null
               order by l.queue, l.type, l.priority, l.lane_id limit 1) end lane_id
      from (select distinct item.q, item.k, item.p, item.alone from item) d),
  room as materialized (          -- whether a queue may have more shared lanes, where a key has none
    select d.q, (select count(*) from (
                   select from fairclaim.lane l where l.tenant_id is null and not l.alone and l.queue = d.q
                    limit (select s.max_shared_lanes from fairclaim.setting s)) z)
                < (select s.max_shared_lanes from fairclaim.setting s) as more
      from (select distinct shared.q from shared where shared.lane_id is null and not shared.alone) d),
  own as materialized (           -- every distinct key with its open own lane
    select d.*,
           case when (select bool_or(exists (select from fairclaim.lane o where o.tenant_id is not null and o.queue = s.q)) from shared s) then
             (select l.lane_id from fairclaim.lane l
               where l.queue = d.q and l.type = d.k and l.turn = d.turn and l.priority = d.p and l.tenant_id = d.t
                 and l.drained is null limit 1) end lane_id
      from (select item.q, item.t, item.p, item.k, uuid_hash_extended(item.t, hashtextextended(item.q, 0)) turn, count(*) c
              from item where not item.alone group by 1, 2, 3, 4, 5) d),
  light as materialized (         -- who may share: what is there and what comes now make 8 at most
    select w.q, w.t,
           case when w.c > 8 then false
                when (select exists (select from fairclaim.tenant_limit))
                     and exists (select from fairclaim.tenant_limit b where b.tenant_id = w.t) then false
                else w.c + (select count(*) from (
                       select from fairclaim.ready y
                        where y.tenant_id = w.t and (y.lane_id >> 32) = fairclaim.lane_group(w.q) and y.id >= p_since
                        limit 8) z) <= 8 end yes
      from (select own.q, own.t, sum(own.c) c from own where own.lane_id is null group by 1, 2) w),
  key as materialized (
    select x.*, s.lane_id shared_id, x.lane_id is null and light.yes and (s.lane_id is not null or room.more) as shares
      from own x
      join shared s on s.q = x.q and s.k = x.k and s.p = x.p and not s.alone
      left join light on light.q = x.q and light.t = x.t
      left join room on room.q = x.q),
  made as (
    insert into fairclaim.lane (lane_id, turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type, alone)
    overriding system value
    select nextval('fairclaim.lane_lane_id_seq'), key.turn, 0, v_now, v_now, key.t,
           coalesce((select t.weight from fairclaim.tenant t where t.tenant_id = key.t), 1), key.p, key.q, key.k, false
      from key where key.lane_id is null and not key.shares
    union all
    select (fairclaim.lane_group(x.q) << 32) + (nextval('fairclaim.lane_lane_id_seq') & 4294967295), 0, 0, v_now, v_now, null, 1, x.p, x.q, x.k, x.alone
      from (select distinct key.q, key.k, key.p, false alone from key where key.shares and key.shared_id is null
            union all select s.q, s.k, s.p, true from shared s where s.alone and s.lane_id is null) x
    returning lane_id, queue, tenant_id, priority, type, alone),
  place as (
    select coalesce(key.lane_id, key.shared_id) lane_id, key.q, key.t, key.p, key.k
      from key where key.lane_id is not null or key.shares and key.shared_id is not null
    union all
    select made.lane_id, made.queue, made.tenant_id, made.priority, made.type from made where made.tenant_id is not null
    union all
    select made.lane_id, key.q, key.t, key.p, key.k
      from key join made on made.queue = key.q and made.type = key.k and made.priority = key.p
     where key.shares and key.shared_id is null and made.tenant_id is null and not made.alone),
  placed as (
    insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
    select z.lane_id, z.i, z.t, z.a, z.l, z.z
      from (select place.lane_id, item.*
              from item join place on place.t = item.t and place.q = item.q and place.p = item.p and place.k = item.k
             where not item.alone
            union all
            select coalesce(s.lane_id, made.lane_id), item.*
              from item join shared s on s.alone and s.q = item.q and s.k = item.k
              left join made on made.alone and made.queue = item.q and made.type = item.k
             where item.alone
            order by o) z
    returning 1)
  select count(*), (select count(*) from made where made.tenant_id is not null) > 0 into v_n, v_made from placed;
  if v_made and p_capped then
    perform fairclaim.check_lanes(p_tenants, p_queues);
  end if;
  return v_n;
end
$$;

comment on function fairclaim.into_lanes(uuid[], uuid[], text[], text[], smallint[], int[], smallint[], smallint[], uuid, boolean) is
'Puts many jobs into the lanes where they wait, and makes the lanes that are missing. Returns how many. Errors: JQ003 when p_capped is true and a tenant has too many own lanes in a queue.';
