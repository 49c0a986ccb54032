-- How many jobs are ahead of one in the order in which claims take them, up to 1,000: in an own
-- lane those of its tenant in this queue, lanes of higher priority first, then older lanes; in a
-- shared lane those of all tenants that came before it into the shared lanes of the queue, at most
-- 100 lanes. Lanes of types are told apart by nothing here: for a worker of all types.
create or replace function fairclaim_internal.jobs_ahead(
  p_lane fairclaim_internal.lane,
  p_seq bigint
) returns int
language plpgsql stable
as $$
begin
  if p_lane.tenant_id is null then
    return (
      select count(*)
        from (select from (
                select lane.lane_id, lane.floor from lane
                 where lane.tenant_id is null and not lane.alone and not p_lane.alone
                   and lane.queue = p_lane.queue
                 order by lane.queue, lane.type limit 100) other
               cross join lateral (
                 select from ready
                  where ready.lane_id = other.lane_id and ready.seq >= other.floor
                    and ready.seq < p_seq
                  order by ready.lane_id, ready.seq limit 1001) found
               limit 1001) counted);
  end if;
  return (
    select count(*)
      from (select from (
              select lane.lane_id, lane.floor from lane
               where lane.tenant_id = p_lane.tenant_id and lane.queue = p_lane.queue
                 and (lane.priority > p_lane.priority
                      or lane.priority = p_lane.priority and lane.lane_id <= p_lane.lane_id)
               limit 100) other
             cross join lateral (
               select from ready
                where ready.lane_id = other.lane_id and ready.seq >= other.floor
                  and (ready.lane_id <> p_lane.lane_id or ready.seq < p_seq)
                order by ready.lane_id, ready.seq limit 1001) found
             limit 1001) counted);
end
$$;

comment on function fairclaim_internal.jobs_ahead(fairclaim_internal.lane, bigint) is
'How many jobs go before one that waits, up to 1,001.';
