-- Puts many rows into `ready`: looks for the lanes that are there, opens those that are missing,
-- and inserts. All of it is one statement (I3); what is asked before it only chooses the way.
-- Called only in READ COMMITTED.
--
-- The rows come as they will be, except that lane_id is the number of their kind and seq is their
-- order. A kind is a queue, a type and a priority; each stands once in the three lists, and its
-- number is its place there, from 1. One list of rows costs a fraction of a list for each column,
-- and a join by number costs a fraction of one by text. Every pass over the rows is felt, so the
-- rows whose own lane is found go straight in.
--
-- A tenant's own lanes come from one scan of the queues where these have at most twice as many as
-- there are rows, else from one descent of the index for each distinct key. p_since bounds the
-- count of a light tenant's rows; rows that come back have old ids, and are counted without a
-- bound. A job that was lost twice goes to a lane for jobs that run alone. p_capped: the rows are
-- new jobs, which were never lost, and are refused when their tenant has too many own lanes in the
-- queue; what comes back is never refused.
--
-- The plan is pinned to hash joins and to scans of indexes: a nested loop over the keys was nine
-- tenths of the time, and the statistics of `lane` and `ready` may say "empty" when they are full.
-- The generic plan holds, whatever the lists are, so the statement is planned once in a session.
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
  v_few boolean := v_size <= 1024 * v_most;   -- a page has some seven lanes: see its fillfactor
  v_tenants uuid[];
  v_queues text[];
begin
  -- neither surely few nor probably many: counted
  if not v_few and v_size <= 8192 * v_most and v_most >= 32 then
    v_few := v_most >= (
      select count(*) from (
        select from (select distinct listed.queue collate "C" as queue
                       from unnest(p_queues) listed(queue)) named
         cross join lateral (
           select from lane where lane.queue = named.queue and lane.tenant_id is not null
            order by lane.queue, lane.turn, lane.priority desc, lane.lane_id
            limit v_most + 1) own) counted);
  end if;
  -- kind: with its oldest open shared lane. opens_as: the number under which a missing one opens.
  -- Jobs that run alone wait in one lane, whatever their priorities: their kinds share a number for
  -- it, which is below zero.
  with kind as materialized (
    select named.number, named.queue, named.type, named.priority, named.number as opens_as,
           false as alone, lane_group(named.queue) as lane_group,
           (select lane.lane_id from lane
             where lane.tenant_id is null and not lane.alone and lane.queue = named.queue
               and lane.type = named.type and lane.priority = named.priority
               and lane.drained is null
             order by lane.queue, lane.type, lane.priority, lane.lane_id limit 1) as lane_id
      from (select listed.number, listed.queue collate "C" as queue,
                   listed.type collate "C" as type, listed.priority
              from unnest(p_queues, p_types, p_priorities) with ordinality
                   listed(queue, type, priority, number)) named
    union all
    select named.number, named.queue, named.type, named.priority,
           -min(named.number) over (partition by named.queue, named.type),
           true, lane_group(named.queue),
           (select lane.lane_id from lane
             where lane.alone and lane.queue = named.queue and lane.type = named.type
               and lane.drained is null
             order by lane.queue, lane.type, lane.lane_id limit 1)
      from (select listed.number, listed.queue collate "C" as queue,
                   listed.type collate "C" as type, 0::smallint as priority
              from unnest(p_queues, p_types) with ordinality listed(queue, type, number)
             where not p_capped
               and exists (select from unnest(p_rows) given where given.lost >= 2)) named),
  -- item: a row with its tenant's own lane; once with each of them, if its key has several
  item as materialized (
    select given.lane_id as number, given.seq, given.id, given.tenant_id, given.attempts,
           given.attempts_left, given.lost, given.watched, own.lane_id as own_id
      from unnest(p_rows) given
      left join (
        select kind.number, lane.tenant_id, lane.lane_id
          from lane
          join kind on kind.queue = lane.queue and kind.type = lane.type
                   and kind.priority = lane.priority and not kind.alone
         where v_few and lane.queue = any (p_queues collate "C")
           and lane.tenant_id is not null and lane.drained is null
        union all
        select kind.number, wanted.tenant_id,
               (select lane.lane_id from lane
                 where lane.queue = kind.queue and lane.type = kind.type
                   and lane.turn
                       = uuid_hash_extended(wanted.tenant_id, hashtextextended(kind.queue, 0))
                   and lane.priority = kind.priority and lane.tenant_id = wanted.tenant_id
                   and lane.drained is null limit 1)
          from (select distinct given.lane_id as number, given.tenant_id
                  from unnest(p_rows) given) wanted
          join kind on kind.number = wanted.number and not kind.alone
         where not v_few) own
        on own.number = given.lane_id and own.tenant_id = given.tenant_id and given.lost < 2),
  -- rest: a row without an own lane. shares: it may wait in a shared lane, one that is there or a
  -- new one, if its queue may have more. light: what waits in shared lanes and what comes now make
  -- 8 rows at most.
  rest as materialized (
    select item.*, kind.opens_as, kind.lane_id as shared_id,
           kind.alone or coalesce(light.is_light, false) and (
             kind.lane_id is not null or kind.lane_group in (
               select lacking.lane_group
                 from (select distinct unmet.lane_group, unmet.queue from kind unmet
                        where unmet.lane_id is null and not unmet.alone) lacking
                where (select count(*) from (
                         select from lane
                          where lane.tenant_id is null and not lane.alone
                            and lane.queue = lacking.queue
                          limit (select setting.max_shared_lanes from setting)) counted)
                      < (select setting.max_shared_lanes from setting))) as shares
      from item
      join kind on kind.number = item.number and kind.alone = (item.lost >= 2)
      left join (
        select coming.lane_group, coming.tenant_id,
               coming.jobs <= 8
               and not exists (
                     select from at_limit
                      where at_limit.is_stable and at_limit.tenant_id = coming.tenant_id
                        and (at_limit.queue = ''
                             or lane_group(at_limit.queue) = coming.lane_group))
               and not exists (
                     select from ready
                      where ready.tenant_id = coming.tenant_id
                        and (ready.lane_id >> 32) = coming.lane_group and ready.id >= p_since
                     offset greatest(0, 8 - coming.jobs)) as is_light
          from (select kind.lane_group, item.tenant_id, count(*) as jobs
                  from item join kind on kind.number = item.number and not kind.alone
                 where item.own_id is null and item.lost < 2 group by 1, 2) coming
        offset 0) light on light.lane_group = kind.lane_group and light.tenant_id = item.tenant_id
     where item.own_id is null),
  -- opened: the lanes to be made. The number of a shared one carries the group of its queue.
  opened as materialized (
    select missing.opens_as, null::uuid as tenant_id,
           (kind.lane_group << 32) + (nextval('lane_lane_id_seq') & 4294967295) as lane_id
      from (select distinct rest.opens_as from rest
             where rest.shares and rest.shared_id is null) missing
      join kind on kind.number = abs(missing.opens_as) and kind.alone = (missing.opens_as < 0)
    union all
    select missing.opens_as, missing.tenant_id, nextval('lane_lane_id_seq')
      from (select distinct rest.opens_as, rest.tenant_id from rest
             where not rest.shares) missing),
  made as (
    insert into lane (
      lane_id, turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type, alone,
      walked)
    overriding system value
    select opened.lane_id,
           case when opened.tenant_id is null then 0
                else uuid_hash_extended(opened.tenant_id, hashtextextended(kind.queue, 0)) end,
           0, v_now, v_now, opened.tenant_id,
           case when opened.tenant_id is null then 1
                else weight_of(opened.tenant_id, kind.queue) end,
           kind.priority, kind.queue, kind.type, kind.alone, opened.tenant_id is not null
      from opened
      join kind on kind.number = abs(opened.opens_as) and kind.alone = (opened.opens_as < 0)
    returning lane.tenant_id, lane.queue),
  -- placed: of several own lanes of its key a row goes into the oldest
  placed as (
    insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
    select chosen.lane_id, chosen.id, chosen.tenant_id, chosen.attempts, chosen.attempts_left,
           chosen.lost, chosen.watched
      from (select distinct on (place.seq) place.*
              from (select item.own_id as lane_id, item.seq, item.id, item.tenant_id,
                           item.attempts, item.attempts_left, item.lost, item.watched
                      from item where item.own_id is not null
                    union all
                    select rest.shared_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest where rest.shares and rest.shared_id is not null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest
                      join opened on opened.opens_as = rest.opens_as and opened.tenant_id is null
                     where rest.shares and rest.shared_id is null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest
                      join opened on opened.opens_as = rest.opens_as
                                 and opened.tenant_id = rest.tenant_id
                     where not rest.shares) place
             order by place.seq, place.lane_id) chosen)
  select array_agg(made.tenant_id), array_agg(made.queue) into v_tenants, v_queues
    from made where made.tenant_id is not null;
  if v_tenants is not null and p_capped then
    perform check_lanes(v_tenants, v_queues);
  end if;
  return cardinality(p_rows);
end
$$;

comment on function fairclaim_internal.into_lanes(fairclaim_internal.ready[], text[], text[],
    smallint[], uuid, boolean) is
'Puts many jobs into the lanes where they wait, and makes the lanes that are missing. Each row has the number of its queue, type and priority in the lists as lane_id, and its place in the order as seq. Returns how many. Errors: JQ003 when p_capped is true and a tenant has too many own lanes in a queue.';
