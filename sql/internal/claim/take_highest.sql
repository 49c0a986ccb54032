-- What tenants give at their turn where priorities are in use: the highest that each has, the
-- oldest first among equals, of its jobs in these shared lanes (a light tenant has a few) and in
-- its own lanes of at least p_least; of each p_counts at most. Bounded: 64 rows of shared lanes a
-- tenant, and by index as many rows of own lanes as it is to give. A tenant's rows are found by the
-- tenant: the lane is asked for in a form that no index has, since statistics of a moment at which
-- nearly nothing waits would choose the lane, and walk its dead rows. It first looks, and then
-- locks exactly the chosen rows, skip locked: rows of `ready` are never updated, so a ctid names
-- one for as long as the snapshot that saw it. A claim that meets another one on all of them gets
-- nothing here and takes what follows (take_own, take_shared).
create or replace function fairclaim_internal.take_highest(
  p_queue text,
  p_types text[],
  p_lanes bigint[],
  p_priorities smallint[],
  p_least int,
  p_tenants uuid[],
  p_counts int[],
  p_limit int,
  out ordinals int[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
begin
  with chosen as materialized (
    select tenant.ordinal::int as ordinal, highest.*
      from unnest(p_tenants, p_counts) with ordinality tenant(tenant_id, jobs, ordinal)
     cross join lateral (
       select * from (
         (select shared.place, shared.seq, ranked.priority
            from (select ready.ctid as place, ready.lane_id, ready.seq from ready
                   where ready.tenant_id = tenant.tenant_id
                     and (ready.lane_id >> 32) = lane_group(p_queue)
                     and array_position(p_lanes, ready.lane_id) is not null limit 64) shared
           cross join lateral (
             select p_priorities[array_position(p_lanes, shared.lane_id)] as priority
             offset 0) ranked)
         union all
         (select waiting.place, waiting.seq, own.priority
            from (select lane.lane_id, lane.floor, lane.priority from lane
                   where lane.walked and lane.queue = p_queue
                     and lane.turn
                       = uuid_hash_extended(tenant.tenant_id, hashtextextended(p_queue, 0))
                     and lane.tenant_id = tenant.tenant_id and lane.priority >= p_least
                     and (p_types is null or lane.type = any (p_types))
                   order by lane.queue, lane.turn, lane.priority desc, lane.lane_id) own
           cross join lateral (
             select ready.ctid as place, ready.seq from ready
              where ready.lane_id = own.lane_id and ready.seq >= own.floor
              order by ready.lane_id, ready.seq limit tenant.jobs) waiting
           limit tenant.jobs)) either
        order by either.priority desc, either.seq limit tenant.jobs) highest
     where tenant.jobs > 0
     order by tenant.ordinal limit p_limit),
  locked as materialized (
    select ready.ctid as place, ready as job from ready
     where ready.ctid = any (array(select chosen.place from chosen)) for update skip locked),
  gone as (
    delete from ready where ready.ctid = any (array(select locked.place from locked))),
  taken as (
    select chosen.ordinal, locked.job from locked join chosen on chosen.place = locked.place
     order by chosen.ordinal, chosen.priority desc, chosen.seq)
  select array_agg(taken.ordinal), array_agg(taken.job) into ordinals, jobs from taken;
end
$$;

comment on function fairclaim_internal.take_highest(text, text[], bigint[], smallint[], int, uuid[],
    int[], int) is
'Takes the highest jobs of tenants out of shared and own lanes. ordinals: which of p_tenants a job belongs to.';
