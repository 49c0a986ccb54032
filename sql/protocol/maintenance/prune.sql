-- Rows, in short steps, and no DDL: whoever keeps its transaction open, or prepares it, is in nobody's way but another prune's. What
-- it locks: its own row of prune_place (skip locked), then rows of `finished` (skip locked), and deletes what belongs to them. Ranges that
-- can go whole are drop_ranges()' affair. So with the retention of the settings, rows go row by row only when they have been past for a
-- third of it: by then their range was dropped, if nothing keeps it. Who chooses a retention gets all of it at once.
-- After a call that had much to do it rests twice as long, for all callers together: a fleet prunes no more than one worker.
create or replace function fairclaim.prune(p_retention float8 default null)
returns table (ranges_dropped int, rows_deleted bigint, passed_over int, busy boolean, more boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set lock_timeout = '100ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_retention interval := (select s.retention from setting s);
  v_before timestamptz := prune_before(p_retention, v_now);
  v_end uuid := id_at(greatest(millis(case when p_retention is null then v_before - v_retention / 3 else v_before end), 0));
  v_place prune_place;
  v_took interval;
  r record;
begin
  ranges_dropped := 0; rows_deleted := 0; passed_over := 0; more := true;
  select * into v_place from prune_place x where x.asked = (p_retention is not null) for update skip locked;
  busy := not found or p_retention is null and v_place.rest_until > v_now and v_place.rest_until < v_now + interval '10 s';
  if busy then
    return next;
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  select * into r from prune_round(v_place, make_interval(secs => p_retention), v_now, v_before, v_end);
  v_place := r.p_place;
  if r.begins or v_place.ended then
    -- whoever makes room by a short retention must not thereby have files sent twice
    delete from dispatch_progress d
     where d.ctid = any (array(select x.ctid from dispatch_progress x
                                where x.updated_at < v_now - greatest(make_interval(secs => p_retention), v_retention) limit 1000 for update skip locked));
    delete from prune_fault x where not exists (select from finished f where f.id = x.id);
  end if;
  select * into r from prune_walk(v_place, v_now, v_before, v_end);
  v_place := r.p_place; rows_deleted := r.deleted; passed_over := r.passed_over;
  v_took := least(greatest(fairclaim.clock() - v_now, interval '0'), interval '1 s');
  update prune_place x
     set retention = v_place.retention, place = v_place.place, ahead = v_place.ahead, round_at = v_place.round_at, ended = v_place.ended,
         left_since = v_place.left_since, cost = v_place.cost + v_took,
         rest_until = v_now + case when v_took < interval '50 ms' then interval '0' else 3 * v_took end
   where x.asked = v_place.asked;
  more := not v_place.ended and passed_over < 16;
  return next;
end
$$;

comment on function fairclaim.prune(float8) is
'Deletes jobs that ended before the retention began (the setting, 7 days at first), and how far sources of dispatch_lines were sent (not counted; never sooner than the setting says). A call takes at most 200 ms or so: call it while `more`; workers do. Jobs go row by row here, once they have been past the retention of the settings for a third of it: drop_ranges() drops whole ranges before that, and is to be called first. p_retention: another one in seconds, for operators only, at least 3,600, which holds for every job at once. rows_deleted: jobs. passed_over: jobs that could not be deleted; the server''s log has their ids and the SQLSTATE, and `fairclaim doctor` tells them. busy: another prune is at work, or all of them rest. ranges_dropped is always 0.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.prune(float8) to fairclaim_worker, fairclaim_operator;
