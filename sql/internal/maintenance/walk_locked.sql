-- A settlement that has one of these lanes walked again and whose transaction stays open holds the
-- lane's lock, and nobody else sees what it did: jobs of the tenant would wait for its end, though
-- others of its jobs have ended meanwhile. So the oldest of them move to a lane beside it, of the
-- same key, which claims walk. Each tick fills it up to p_size. Locks rows of `ready` (skip
-- locked).
create or replace function fairclaim_internal.walk_locked(p_now timestamptz, p_size int)
returns void
language plpgsql
as $$
declare
  v_lanes bigint[] := array(
    select freed.lane_id from lane freed
     where freed.tenant_id is not null and not freed.walked
       and not exists (
             select from at_limit
              where at_limit.is_stable and at_limit.tenant_id = freed.tenant_id
                and at_limit.queue in ('', freed.queue))
       and exists (select from ready
                    where ready.lane_id = freed.lane_id and ready.seq >= freed.floor)
     limit 100);
begin
  if v_lanes = '{}' then
    return;
  end if;
  insert into lane (turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type,
                    walked)
  select distinct freed.turn, 0, p_now, p_now, freed.tenant_id, freed.weight, freed.priority,
         freed.queue, freed.type, true
    from lane freed
   where freed.lane_id = any (v_lanes)
     and not exists (
           select from lane beside
            where beside.tenant_id = freed.tenant_id and beside.queue = freed.queue
              and beside.type = freed.type and beside.priority = freed.priority
              and beside.walked and beside.drained is null);
  with moved as materialized (
    select oldest.place, target.lane_id
      from lane freed
     cross join lateral (
       select beside.lane_id, beside.floor from lane beside
        where beside.tenant_id = freed.tenant_id and beside.queue = freed.queue
          and beside.type = freed.type and beside.priority = freed.priority
          and beside.walked and beside.drained is null
        order by beside.lane_id limit 1) target
     cross join lateral (
       select count(*) as jobs
         from (select from ready
                where ready.lane_id = target.lane_id and ready.seq >= target.floor
                limit p_size) there) waiting
     cross join lateral (
       select ready.ctid as place from ready
        where ready.lane_id = freed.lane_id and ready.seq >= freed.floor
        order by ready.lane_id, ready.seq limit p_size - waiting.jobs
          for update skip locked) oldest
     where freed.lane_id = any (v_lanes)),
  gone as (
    delete from ready
     where ready.ctid = any (array(select moved.place from moved))
    returning ready.*, ready.ctid as place)
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select moved.lane_id, gone.id, gone.tenant_id, gone.attempts, gone.attempts_left, gone.lost,
         gone.watched
    from gone
   cross join lateral (
     select moved.lane_id from moved where moved.place = gone.place limit 1) moved
   order by gone.seq;
end
$$;

comment on function fairclaim_internal.walk_locked(timestamptz, int) is
'Moves jobs out of lanes that claims ought to walk and that an open transaction has locked, to lanes beside them.';
