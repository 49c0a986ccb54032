-- The next slice of a queue's own lanes, by turn: looks at what a job of each tenant costs, and
-- gives the lanes their weights in effect: turn_seconds * weight / mean. What a turn is worth is
-- settled when a pass has seen all lanes, which is every time where there are not many; until then
-- the last one holds. Where the queue is fair by claims again, the lanes get their plain weights,
-- and after the pass nothing is kept of it. A weight that is off by less than a twentieth stays.
-- The caller holds the queue's row of queue_time. Locks lanes, and passes over locked ones.
create or replace function fairclaim_internal.weigh_slice(p_queue text, p_size int) returns int
language plpgsql
as $$
declare
  v_row queue_time;
  v_by_seconds boolean := exists (
    select from queue where queue.name = p_queue and queue.fair_by = 'seconds');
  v_turns bigint[];
  v_weights int[];                            -- as people have set them
  v_means float8[];                           -- seconds of a job; null: not known
  v_lanes int;
  v_new queue_time;
  v_written int;
begin
  select * into v_row from queue_time where queue_time.queue = p_queue;
  with slice as materialized (
    select lane.turn, lane.tenant_id from lane
     where lane.walked and lane.queue = p_queue
       and lane.turn > coalesce(v_row.place, -9223372036854775808)
     order by lane.turn limit p_size)
  select (select count(*) from slice), array_agg(met.turn order by met.turn),
         array_agg(weight_of(met.tenant_id, p_queue)::int order by met.turn),
         array_agg(known.mean order by met.turn)
    into v_lanes, v_turns, v_weights, v_means
    from (select distinct slice.turn, slice.tenant_id from slice) met
    left join lateral (
      select greatest(0.001, least(3600,
               tenant_time.seconds / greatest(tenant_time.jobs, 1))) as mean
        from tenant_time
       where tenant_time.queue = p_queue and tenant_time.tenant_id = met.tenant_id
      offset 0) known on true;

  v_new := v_row;
  v_new.mean := coalesce((select avg(item.mean) from unnest(v_means) item(mean)), v_row.mean);
  select greatest(v_row.slowest, max(coalesce(item.mean, v_new.mean) / item.weight)),
         least(v_row.fastest, min(coalesce(item.mean, v_new.mean) / item.weight))
    into v_new.slowest, v_new.fastest
    from unnest(v_means, v_weights) item(mean, weight);
  if v_lanes < p_size then
    if v_new.slowest is not null then
      v_new.turn_seconds := turn_worth(v_row.turn_seconds, v_new.slowest, v_new.fastest);
    end if;
    v_new.place := null; v_new.slowest := null; v_new.fastest := null;
  else
    v_new.place := v_turns[cardinality(v_turns)];
  end if;

  with wanted as materialized (
    select item.turn,
           case when v_by_seconds and v_new.turn_seconds is not null
                then least(10000, greatest(1, round(
                       v_new.turn_seconds * item.weight / coalesce(item.mean, v_new.mean))))
                else item.weight end::smallint as weight
      from unnest(v_turns, v_weights, v_means) item(turn, weight, mean)),
  stale as materialized (
    select found.place, wanted.weight from wanted
     cross join lateral (
       select lane.ctid as place from lane
        where lane.walked and lane.queue = p_queue and lane.turn = wanted.turn
          and lane.weight <> wanted.weight
          and (not v_by_seconds or abs(lane.weight - wanted.weight) * 20 > wanted.weight)
          for update skip locked) found)
  update lane set weight = stale.weight from stale where lane.ctid = stale.place;
  get diagnostics v_written = row_count;
  if not v_by_seconds and v_new.place is null then
    delete from tenant_time
     where tenant_time.ctid = any (array(
       select useless.ctid from tenant_time useless
        where useless.queue = p_queue limit p_size for update skip locked));
    delete from queue_time
     where queue_time.queue = p_queue
       and not exists (select from tenant_time where tenant_time.queue = p_queue);
  elsif v_new.place is not null or v_row.place is not null
        or v_new.turn_seconds is distinct from v_row.turn_seconds
        or not coalesce(v_new.mean between v_row.mean * 0.9 and v_row.mean * 1.1,
                        v_new.mean is null) then
    update queue_time
       set turn_seconds = v_new.turn_seconds, mean = v_new.mean, place = v_new.place,
           slowest = v_new.slowest, fastest = v_new.fastest
     where queue_time.queue = p_queue;
  end if;
  return v_written;
end
$$;

comment on function fairclaim_internal.weigh_slice(text, int) is
'Gives a slice of the own lanes of a queue the weights that run times ask for. Returns how many it wrote.';
