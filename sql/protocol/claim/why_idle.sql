-- Tells a worker that has nothing to do what keeps the jobs of its queues from it. It only reads,
-- and it is bounded: at most 50 queues, 200 pairs of queue and type, 100 lanes a pair, 1,000
-- waiting rows a pair, 1,000 scheduled rows and 1,000 that wait for their key. Types are hopped to
-- through the two indexes of lanes.
create or replace function fairclaim.why_idle(
  p_queues text[] default null,
  p_types text[] default null
) returns table (
  reason text,
  queue text,
  type text,
  jobs int,
  at_least boolean,
  due_in float8,
  handled_elsewhere boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_in_use text[] := coalesce(open_queues(null), '{}');     -- less the paused ones
  v_queues text[] := coalesce(p_queues, v_in_use);
begin
  if cardinality(p_queues) not between 1 and 1000 or array_ndims(p_queues) > 1
     or array_position(p_queues, null) is not null then
    perform refuse('JQ004', 'p_queues',
      'must be null (every queue) or a list of 1 to 1,000 names without nulls',
      'pass null or the names of queues');
  elsif cardinality(p_types) not between 1 and 1000 or array_ndims(p_types) > 1
     or array_position(p_types, null) is not null then
    perform refuse('JQ004', 'p_types',
      'must be null (every type) or a list of 1 to 1,000 names without nulls',
      'pass null or the names of types');
  end if;
  return query
  with recursive
  served(name, paused) as materialized (
    select given.name,
           exists (select from queue paused
                    where paused.name = given.name and paused.paused_at is not null)
      from (select distinct unnest(v_queues) collate "C" as name order by name limit 50) given),
  hop(queue_name, type_name, hops) as (        -- one type a step, in their order
    select served.name, first.type_name, 1
      from served
     cross join lateral (select least(
       (select lane.type from lane lane
         where lane.tenant_id is not null and lane.queue = served.name
         order by lane.queue, lane.type limit 1),
       (select lane.type from lane lane
         where lane.tenant_id is null and lane.queue = served.name
         order by lane.queue, lane.type limit 1)) as type_name) first
    union all
    select hop.queue_name, following.type_name, hop.hops + 1
      from hop
     cross join lateral (select least(
       (select lane.type from lane lane
         where lane.tenant_id is not null
           and lane.queue = hop.queue_name and lane.type > hop.type_name
         order by lane.queue, lane.type limit 1),
       (select lane.type from lane lane
         where lane.tenant_id is null and lane.queue = hop.queue_name and lane.type > hop.type_name
         order by lane.queue, lane.type limit 1)) as type_name) following
     where hop.type_name is not null and hop.hops < 100),
  pair as materialized (
    select hop.queue_name, hop.type_name from hop where hop.type_name is not null limit 200),
  waiting as materialized (
    select pair.queue_name, pair.type_name, least(found.jobs, 1000)::int as jobs,
           found.jobs > 1000 or found.lanes >= 100 as at_least
      from pair
     cross join lateral (
       select array_agg(lane.lane_id) as ids, array_agg(lane.floor) as floors
         from ((select lane.lane_id, lane.floor from lane lane
                 where lane.tenant_id is null
                   and lane.queue = pair.queue_name and lane.type = pair.type_name
                 order by lane.lane_id limit 20)
               union all
               (select lane.lane_id, lane.floor from lane lane
                 where lane.tenant_id is not null
                   and lane.queue = pair.queue_name and lane.type = pair.type_name
                 order by lane.turn limit 80)) lane) lanes
     cross join lateral (
       select count(*) as jobs, cardinality(lanes.ids) as lanes
         from (select 1
                 from unnest(lanes.ids, lanes.floors) lane(lane_id, floor)
                cross join lateral (
                  select 1 from ready ready
                   where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                   order by ready.lane_id, ready.seq limit 1001) ready
                limit 1001) one) found),
  later as materialized (
    select job.queue as queue_name, job.type as type_name, count(*)::int as jobs,
           min(soon.run_at) as run_at
      from (select scheduled.id, scheduled.tenant_id, scheduled.run_at
              from scheduled scheduled
             order by scheduled.run_at, scheduled.id limit 1000) soon
     cross join lateral (
       select job.queue, job.type from job job
        where job.tenant_id = soon.tenant_id and job.id = soon.id offset 0) job
     where job.queue in (select served.name from served)
     group by job.queue, job.type),
  behind as materialized (
    select job.queue as queue_name, job.type as type_name, count(*)::int as jobs
      from (select held.id, held.tenant_id from held
             order by held.tenant_id, held.key, held.seq limit 1000) first
     cross join lateral (
       select job.queue, job.type from job job
        where job.tenant_id = first.tenant_id and job.id = first.id offset 0) job
     where job.queue in (select served.name from served)
     group by job.queue, job.type),
  unseen as materialized (
    select served.name from served
     where not queue_in_use(served.name)
       and not exists (select from later where later.queue_name = served.name)
       and not exists (select from behind where behind.queue_name = served.name)),
  told(reason, queue_name, type_name, jobs, at_least, due_in) as (
    select 'paused', served.name, null::text, coalesce(sum(waiting.jobs), 0)::int,
           coalesce(bool_or(waiting.at_least), false), null::float8
      from served left join waiting on waiting.queue_name = served.name
     where served.paused
     group by served.name
    union all
    select case when waiting.type_name = any (p_types) or p_types is null
                then 'waiting' else 'unhandled' end,
           waiting.queue_name, waiting.type_name, waiting.jobs, waiting.at_least, null
      from waiting
     where waiting.jobs > 0
       and not exists (select from served where served.name = waiting.queue_name and served.paused)
    union all
    select 'scheduled', later.queue_name, later.type_name, later.jobs,
           later.jobs >= 1000,
           greatest(extract(epoch from later.run_at - v_now), 0)::float8
      from later
     where later.type_name = any (p_types) or p_types is null
    union all
    select 'key', behind.queue_name, behind.type_name, behind.jobs, behind.jobs >= 1000, null
      from behind
     where behind.type_name = any (p_types) or p_types is null
    union all
    select 'unseen', unseen.name, null, 0, false, null from unseen
    union all
    (select 'in_use', other.name, null, 0, false, null
       from unnest(v_in_use) other(name)
      where exists (select from unseen) and other.name <> all (v_queues)
      limit 100))
  select told.reason, told.queue_name, told.type_name, told.jobs, told.at_least, told.due_in,
         case when told.reason = 'unhandled' then is_handled(told.queue_name, told.type_name) end
    from told
   order by array_position(
              array['paused', 'unhandled', 'waiting', 'key', 'scheduled', 'unseen', 'in_use'],
              told.reason),
            told.queue_name, told.type_name;
end
$$;

comment on function fairclaim.why_idle(text[], text[]) is
'Why a worker of these queues (null: every one) and types (null: every one) has nothing to do, for workers to say at their start and at the end of a drain. One row a reason, by `reason`:
`paused`: the queue is paused, and so many jobs wait in it. `unhandled`: so many jobs of this type wait in the queue, and the type is not in p_types; handled_elsewhere tells whether a worker that lives handles it (as far as workers report, see report_work). `waiting`: so many jobs of a type that is wait all the same: for the limit of their tenant, to run alone, or since a moment ago. `key`: so many wait until another job of their key has ended. `scheduled`: so many are due later, the first in due_in seconds. `unseen`: no job waits in the queue, or has within the last hour; a misspelt name shows by this. `in_use`: a queue that is in use and not among p_queues, told beside `unseen` only.
A sample that looks at a bounded number of rows: at_least says that a number is a lower bound. Not to be polled. Errors: JQ004.';

grant execute on function fairclaim.why_idle(text[], text[]) to fairclaim_worker;
