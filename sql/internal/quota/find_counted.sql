-- Which quotas are to be counted by tick: those above 1,000 of tenants that have an own lane, found
-- in a slice of the own lanes; whoever has none has a handful of jobs waiting. Smaller quotas are
-- counted by the dispatch itself, exactly. A quota that was taken away, or is small now, is
-- forgotten.
create or replace function fairclaim_internal.find_counted(
  p_place fairclaim_internal.quota_place,
  p_now timestamptz,
  p_size int
) returns bigint
language plpgsql
as $$
declare
  v_lanes bigint[];
begin
  delete from waiting_count
   where waiting_count.ctid = any (array(
     select useless.ctid from waiting_count useless
      where not exists (
              select from quotas_of(useless.tenant_id, useless.queue) quota
               where quota.queue = useless.queue and quota.max_waiting > 1000)
        for update skip locked));
  v_lanes := array(select lane.lane_id from lane
                    where lane.lane_id > greatest(0, p_place.lane)
                    order by lane.lane_id limit p_size);
  insert into waiting_count (tenant_id, queue, counted_at)
  select distinct seen.tenant_id, quota.queue, p_now
    from (select distinct lane.tenant_id, lane.queue from lane
           where lane.lane_id = any (v_lanes) and lane.tenant_id is not null) seen
   cross join lateral quotas_of(seen.tenant_id, seen.queue) quota
   where quota.max_waiting > 1000
      on conflict do nothing;
  return case when cardinality(v_lanes) = p_size then v_lanes[p_size] else 0 end;
end
$$;

comment on function fairclaim_internal.find_counted(fairclaim_internal.quota_place, timestamptz,
    int) is
'Notes which quotas tick counts, from a slice of the own lanes, and returns the last lane that it saw.';
