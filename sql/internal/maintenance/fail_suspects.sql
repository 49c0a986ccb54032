-- Jobs whose workers died twice, and that no worker has taken to run alone within setting.suspect_wait, fail as lost: clients that
-- know nothing of them leave them here. Timed by what ticks have seen: the 1,000 oldest, less those that nobody may take now (a queue that
-- is paused, a tenant whose limit is 0). Where nobody looked for five minutes no worker ran, so all of them begin again. Nearly always
-- there is no such lane. Locks: rows of suspect, then of ready (skip locked): one that is being taken is left to its worker.
create or replace function fairclaim_internal.fail_suspects(p_now timestamptz, p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_seen boolean := coalesce(pg_sequence_last_value('suspects_at'), 0) between v_ms - 300000 and v_ms;
  v_n int;
begin
  if not exists (select from lane l where l.alone) and not exists (select from suspect) then
    return 0;
  end if;
  perform setval('suspects_at', greatest(0, v_ms));
  with late as materialized (
    select y.c
      from (select distinct s.id, s.tenant_id, s.attempts from suspect s
             where v_seen and s.seen_at < p_now - (select x.suspect_wait from setting x) and s.id <> all (p_skip) limit p_size) s
     cross join lateral (
       select y.ctid c from ready y
        where y.tenant_id = s.tenant_id and (y.lane_id >> 32) < 0 and y.id = s.id and y.attempts = s.attempts and y.lost >= 2
          for update skip locked) y),
  gone as (
    delete from ready y where y.ctid = any (array(select late.c from late)) returning y.id, y.tenant_id, y.attempts)
  insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
  select gone.id, gone.tenant_id, p_now, gone.attempts, 'failed', null, null,
         '{"code": "lost", "message": "two workers died while they ran it, and no worker ran it alone in time"}'
    from gone;
  get diagnostics v_n = row_count;

  with waiting as materialized (
    select y.id, y.tenant_id, y.attempts
      from (select l.lane_id, l.floor from lane l
             where l.alone and not exists (select from queue q where q.name = l.queue and q.paused_at is not null)
             order by l.queue, l.type, l.lane_id limit 1000) l
     cross join lateral (
       select y.id, y.tenant_id, y.attempts from ready y
        where y.lane_id = l.lane_id and y.seq >= l.floor
          and not exists (select from tenant_limit b where b.tenant_id = y.tenant_id and b.max_running = 0)
        order by y.lane_id, y.seq limit 1000) y
     limit 1000),
  gone as (
    delete from suspect s
     where s.ctid = any (array(
       select z.ctid from suspect z
        where not v_seen or not exists (select from waiting w where w.id = z.id and w.attempts = z.attempts)
          for update skip locked)))
  insert into suspect (id, tenant_id, attempts, seen_at)
  select w.id, w.tenant_id, w.attempts, p_now from waiting w
   where not v_seen or not exists (select from suspect s where s.id = w.id and s.attempts = w.attempts);
  return v_n;
end
$$;

comment on function fairclaim_internal.fail_suspects(timestamptz, int, uuid[]) is
'Fails jobs whose workers died twice and that no worker has taken for as long as setting.suspect_wait says; returns how many.';
