-- Counts what waits, for the queues and tenants that have changed, and for a slice of the others: a
-- hundred lanes, by number, and a hundred rows of `stat`. It stops when it has counted 10,000 rows;
-- the next refresh goes on behind. A row that counts as before is not written. A row that has told
-- of nothing for two hours is deleted.
create or replace function fairclaim_internal.note_waiting(
  p_now timestamptz,
  p_queues text[],
  p_tenants uuid[]
) returns void
language plpgsql
as $$
declare
  v_lane bigint := coalesce(pg_sequence_last_value('stats_lane'), 0);
  v_stat bigint := coalesce(pg_sequence_last_value('stats_row'), 0);
  v_next_lane bigint;
  v_next_stat bigint;
  v_rows bigint := 0;
  v_pair record;
  v_found record;
begin
  select max(slice.lane_id) into v_next_lane
    from (select lane.lane_id from lane
           where lane.lane_id > v_lane order by lane.lane_id limit 100) slice;
  select max(slice.stat_id) into v_next_stat
    from (select stat.stat_id from stat
           where stat.stat_id > v_stat order by stat.stat_id limit 100) slice;
  for v_pair in
    select touched.queue, touched.tenant_id, known.stat_id, known.waiting, known.at_least,
           known.oldest_at, known.backlogged_since, known.running, known.as_of
      from (select changed.queue collate "C" as queue, changed.tenant_id
              from unnest(p_queues, p_tenants) changed(queue, tenant_id)
            union
            select lane.queue, lane.tenant_id from lane
             where lane.lane_id > v_lane and lane.lane_id <= v_next_lane
               and lane.tenant_id is not null
            union
            select stat.queue, stat.tenant_id from stat
             where stat.stat_id > v_stat and stat.stat_id <= v_next_stat and not stat.whole) touched
      left join lateral (
        select * from stat
         where stat.queue = touched.queue and not stat.whole
           and stat.tenant_id = touched.tenant_id offset 0) known on true
     order by known.counted_at nulls first limit 300
  loop
    exit when v_rows > 10000;
    select * into v_found from waiting_of(v_pair.queue, v_pair.tenant_id, 1000);
    v_rows := v_rows + v_found.waiting + 10;
    if v_pair.stat_id is null then
      insert into stat (
        queue, whole, tenant_id, waiting, at_least, oldest_at, backlogged_since, as_of, counted_at)
      select v_pair.queue, false, v_pair.tenant_id, v_found.waiting, v_found.at_least,
             v_found.oldest_at, case when v_found.backlogged then p_now end, p_now, p_now
       where v_found.waiting > 0
          on conflict do nothing;
    elsif v_pair.as_of < p_now - interval '2 hours' and v_found.waiting = 0 and v_pair.running = 0
    then
      delete from stat
       where stat.ctid = any (array(
         select past.ctid from stat past
          where past.stat_id = v_pair.stat_id for update skip locked));
    elsif (v_pair.waiting, v_pair.at_least, v_pair.oldest_at, v_pair.backlogged_since is not null)
          is distinct from
          (v_found.waiting, v_found.at_least, v_found.oldest_at, v_found.backlogged) then
      update stat
         set waiting = v_found.waiting, at_least = v_found.at_least,
             oldest_at = v_found.oldest_at, counted_at = p_now,
             backlogged_since = case when v_found.backlogged then
               coalesce(stat.backlogged_since, p_now) end
       where stat.ctid = any (array(
         select open.ctid from stat open
          where open.stat_id = v_pair.stat_id for update skip locked));
    end if;
  end loop;
  perform setval('stats_lane', coalesce(v_next_lane, 0)),
          setval('stats_row', coalesce(v_next_stat, 0));
end
$$;

comment on function fairclaim_internal.note_waiting(timestamptz, text[], uuid[]) is
'Counts the waiting jobs of some tenants in their queues and keeps what has changed.';
