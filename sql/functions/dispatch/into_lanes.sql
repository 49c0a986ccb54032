-- Many rows into `ready`: one look at lanes and waiting rows per distinct key, open what is missing, insert. One statement
-- (I3). Hash joins only: a nested loop over the keys was nine tenths of the time. p_since bounds the count of a light
-- tenant's rows; rows that come back have old ids and are counted without it.
create or replace function fairclaim.into_lanes(
  p_tenants uuid[],
  p_ids uuid[],
  p_queues text[],
  p_types text[],
  p_priorities smallint[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[],
  p_since uuid
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
  v_own xid8 := case when current_setting('transaction_isolation') <> 'read committed' then pg_current_xact_id() end;
  v_n int;
begin
  with item as materialized (
    select x.o, x.t, x.i, x.q collate "C" q, x.k collate "C" k, x.p, x.a, x.l, x.z
      from unnest(p_tenants, p_ids, p_queues, p_types, p_priorities, p_attempts, p_left, p_lost)
           with ordinality x(t, i, q, k, p, a, l, z, o)),
  shared as materialized (        -- the oldest open shared lane of each (queue, type)
    select d.q, d.k,
           (select l.lane_id from fairclaim.lane l
             where l.tenant_id is null and l.queue = d.q and l.type = d.k and l.drained is null
             order by l.queue, l.type, l.lane_id limit 1) lane_id
      from (select distinct item.q, item.k from item) d),
  own as materialized (           -- every distinct key with its open own lane
    select d.*,
           (select l.lane_id from fairclaim.lane l
             where l.queue = d.q and l.type = d.k and l.turn = d.turn and l.priority = d.p and l.tenant_id = d.t
               and l.drained is null and (v_own is null or l.opened_by = v_own) limit 1) lane_id
      from (select item.q, item.t, item.p, item.k, uuid_hash_extended(item.t, hashtextextended(item.q, 0)) turn, count(*) c
              from item group by 1, 2, 3, 4, 5) d),
  key as materialized (           -- and whether it may share
    select x.*, s.lane_id shared_id,
           case when x.lane_id is not null or x.p <> 0 or v_own is not null or x.c > 8 then false
                when exists (select from fairclaim.tenant_limit b where b.tenant_id = x.t) then false
                else x.c + (select count(*) from (
                       select from fairclaim.ready y
                        where y.tenant_id = x.t and y.lane_id = s.lane_id and y.id >= p_since
                        limit 8) z) <= 8
           end light
      from own x join shared s on s.q = x.q and s.k = x.k),
  made as (
    insert into fairclaim.lane (turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type)
    select key.turn, 0, v_now, v_now, key.t,
           coalesce((select t.weight from fairclaim.tenant t where t.tenant_id = key.t), 1), key.p, key.q, key.k
      from key where key.lane_id is null and not key.light
    union all
    select 0, 0, v_now, v_now, null, 1, 0, x.q, x.k
      from (select distinct key.q, key.k from key where key.light and key.shared_id is null) x
    returning lane_id, queue, tenant_id, priority, type),
  place as (
    select coalesce(key.lane_id, key.shared_id) lane_id, key.q, key.t, key.p, key.k
      from key where key.lane_id is not null or key.light and key.shared_id is not null
    union all
    select made.lane_id, made.queue, made.tenant_id, made.priority, made.type from made where made.tenant_id is not null
    union all
    select made.lane_id, key.q, key.t, key.p, key.k
      from key join made on made.queue = key.q and made.type = key.k
     where key.light and made.tenant_id is null)
  insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select z.lane_id, z.i, z.t, z.a, z.l, z.z
    from (select place.lane_id, item.*
            from item join place on place.t = item.t and place.q = item.q and place.p = item.p and place.k = item.k
           order by item.o) z;
  get diagnostics v_n = row_count;
  return v_n;
end
$$;

comment on function fairclaim.into_lanes(uuid[], uuid[], text[], text[], smallint[], int[], smallint[], smallint[], uuid) is
'Puts many jobs into the lanes where they wait, and makes the lanes that are missing. Returns how many.';
