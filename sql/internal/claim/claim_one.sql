-- One job, where nothing special applies: no priorities in the queue, no limits, no pause; else it finds nothing, and claim_from_queue has
-- the rest. One statement looks, walks, locks, moves and answers. Its lock on `ready` is older than the snapshot in which it sees no limit.
-- way: 0 shared lanes (three claims of four), 1 the rest of the quantum of the cursor's tenant, 2 the next 256 own lanes
-- in turn, 3 shared lanes again where there is no own lane. Lanes of types that were not asked for are passed over; what lies farther
-- is claim_from_queue's affair.
create or replace function fairclaim_internal.claim_one(
  p_worker_id text,
  p_queue text,
  p_types text[],
  p_pos bigint,
  p_used int,
  p_shared int,
  p_token uuid,
  p_expires timestamptz,
  p_rest text
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout float8, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text
)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
  with taken as materialized (
    select y.c, y.id, y.tenant_id, l.turn, y.attempts + 1 a, y.attempts_left, y.lost, l.lane_id, l.way
      from ((select l.lane_id, h.seq floor, p_pos turn, 0 way
               from lane l
              cross join lateral (
                select y.seq from ready y
                 where y.lane_id = l.lane_id and y.seq >= l.floor order by y.lane_id, y.seq limit 1) h
              where p_shared < 3 and l.tenant_id is null and not l.alone and l.queue = p_queue and (p_types is null or l.type = any (p_types))
              order by h.seq)
            union all
            (select l.lane_id, l.floor, l.turn, 1 from lane l
              where l.tenant_id is not null and l.queue = p_queue and l.turn = p_pos and l.weight > p_used
                and (p_types is null or l.type = any (p_types))
              order by l.queue, l.turn, l.priority desc, l.lane_id limit 256)
            union all
            (select w.lane_id, w.floor, w.turn, 2
               from (select l.lane_id, l.floor, l.turn, l.type from lane l
                      where l.tenant_id is not null and l.queue = p_queue and l.turn > p_pos
                      order by l.queue, l.turn, l.priority desc, l.lane_id limit 128) w
              where p_types is null or w.type = any (p_types))
            union all
            (select w.lane_id, w.floor, w.turn, 2
               from (select l.lane_id, l.floor, l.turn, l.type from lane l
                      where l.tenant_id is not null and l.queue = p_queue and l.turn <= p_pos
                      order by l.queue, l.turn, l.priority desc, l.lane_id limit 128) w
              where p_types is null or w.type = any (p_types))
            union all
            (select l.lane_id, l.floor, p_pos, 3 from lane l
              where l.tenant_id is null and not l.alone and l.queue = p_queue and (p_types is null or l.type = any (p_types))
                and not exists (select from lane o where o.tenant_id is not null and o.queue = p_queue))) l
     cross join lateral (
       select y.ctid c, y.* from ready y
        where y.lane_id = l.lane_id and y.seq >= l.floor
        order by y.lane_id, y.seq limit 1 for update skip locked) y
     where not exists (select from tenant_limit)
       and not exists (select from queue q where q.name = p_queue and q.paused_at is not null)
       and not exists (select from lane o where o.queue = p_queue and (o.priority > 0 or o.priority < 0 and o.tenant_id is null))
     limit 1),
  gone as (
    delete from ready y where y.ctid = any (array(select taken.c from taken))),
  started as (
    insert into running
    select taken.id, taken.tenant_id, p_token, p_expires, taken.a, taken.attempts_left, taken.lost, false, p_worker_id from taken)
  select j.id, j.tenant_id, j.type, 'processing'::text, j.payload, null::jsonb, p_worker_id, taken.a::int,
         null::timestamptz, j.created_at, null::timestamptz, j.queue, j.priority::int, j.max_attempts::int,
         taken.attempts_left::int, taken.lost::int, date_part('epoch', j.timeout), j.tags, j.metadata, p_token, p_expires,
         set_config('fairclaim.cursor', p_queue || '|' || taken.turn || '|' || case taken.way when 2 then 1 when 1 then p_used + 1 else p_used end
           || '|' || case when taken.way = 0 then p_shared + 1 else 0 end || p_rest, true)
    from taken
   cross join lateral (select * from job j where j.tenant_id = taken.tenant_id and j.id = taken.id offset 0) j;
  if found and random() < 0.03 then           -- a statement of its own: set up with each claim, it cost more than the walk
    perform hint_passed(p_queue, p_pos);
  end if;
end
$$;

comment on function fairclaim_internal.claim_one(text, text, text[], bigint, int, int, uuid, timestamptz, text) is
'The claim of one job where nothing special applies: one statement.';
