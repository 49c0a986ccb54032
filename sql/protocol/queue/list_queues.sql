-- Bounded, and no counter on the hot path: per queue at most p_up_to lanes and p_up_to waiting rows, from the lanes' floors; in all at
-- most p_up_to running and p_up_to scheduled rows, each with a look at its job. Names: hops through the lanes' indexes, the
-- paused ones, and what those rows bring. What ended is not counted: `finished` grows with history and has no queue.
create or replace function fairclaim.list_queues(p_up_to int default 10000) returns table (
  queue text, paused_at timestamptz, waiting int, tenants_waiting int, oldest_waiting_at timestamptz, scheduled int, running int, at_least text[]
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_running jsonb;                            -- how many by queue
  v_scheduled jsonb;
  v_more text[];
begin
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000', p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  v_more := array_remove(array[
    case when (select count(*) > p_up_to from (select from scheduled limit p_up_to + 1) z) then 'scheduled' end,
    case when (select count(*) > p_up_to from (select from running limit p_up_to + 1) z) then 'running' end], null);
  select coalesce(jsonb_object_agg(z.queue, z.n), '{}') into v_running
    from (select j.queue, count(*) n
            from (select r.id, r.tenant_id from running r limit p_up_to) r
           cross join lateral (select j.queue from job j where j.tenant_id = r.tenant_id and j.id = r.id offset 0) j
           group by j.queue) z;
  select coalesce(jsonb_object_agg(z.queue, z.n), '{}') into v_scheduled
    from (select j.queue, count(*) n
            from (select s.id, s.tenant_id from scheduled s limit p_up_to) s
           cross join lateral (select j.queue from job j where j.tenant_id = s.tenant_id and j.id = s.id offset 0) j
           group by j.queue) z;
  return query
  with name(q) as materialized (
    select unnest(open_queues(null)) union select p.name from queue p where p.paused_at is not null
    union select jsonb_object_keys(v_running) union select jsonb_object_keys(v_scheduled))
  select n.q, (select p.paused_at from queue p where p.name = n.q),
         least(w.n, p_up_to)::int, w.tenants::int, o.created_at,
         coalesce((v_scheduled ->> n.q)::int, 0), coalesce((v_running ->> n.q)::int, 0),
         case when w.n > p_up_to or o.lanes > p_up_to then array['waiting', 'tenants_waiting'] else '{}' end || v_more
    from name n
   cross join lateral (
     select array_agg(l.lane_id) ids, array_agg(l.floor) floors
       from ((select l.lane_id, l.floor from lane l where l.tenant_id is null and l.queue = n.q)
             union all
             (select l.lane_id, l.floor from lane l where l.tenant_id is not null and l.queue = n.q)
             limit p_up_to + 1) l) l
   cross join lateral (
     select count(*) n, count(distinct z.tenant_id) tenants
       from (select y.tenant_id
               from unnest(l.ids, l.floors) u(lane_id, floor)
              cross join lateral (
                select y.tenant_id from ready y
                 where y.lane_id = u.lane_id and y.seq >= u.floor order by y.lane_id, y.seq limit p_up_to + 1) y
              limit p_up_to + 1) z) w
   cross join lateral (                        -- the oldest of the jobs that are first in their lanes
     select count(*) lanes, min(j.created_at) created_at
       from unnest(l.ids, l.floors) u(lane_id, floor)
       left join lateral (
         select y.id, y.tenant_id from ready y
          where y.lane_id = u.lane_id and y.seq >= u.floor order by y.lane_id, y.seq limit 1) y on true
       left join lateral (
         select j.created_at from job j where j.tenant_id = y.tenant_id and j.id = y.id offset 0) j on true) o
   order by n.q;
end
$$;

comment on function fairclaim.list_queues(int) is
'The queues that are in use or paused, by name, for operators: since when it is paused (null: it is not), how many jobs wait and of how many tenants, when the oldest of those first in line was dispatched, how many are scheduled (delayed, snoozed or to be retried) and running.
Counted to p_up_to (1 to 100,000): the waiting ones in each queue, the scheduled and the running ones in all; at_least names the columns that are lower bounds because of that. A call reads at most so many rows and lanes a queue, never what ended: count failed jobs with count_jobs.
A queue is in use while jobs wait, run or are scheduled in it, and for an hour after. Errors: JQ004.';

grant execute on function fairclaim.list_queues(int) to fairclaim_operator;
