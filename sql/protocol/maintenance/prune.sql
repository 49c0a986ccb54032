-- Deletes rows, in short steps, and does no DDL: a caller that keeps its transaction open, or
-- prepares it, is in the way of other prunes only. It locks its own row of prune_place (skip
-- locked), then rows of `finished` (skip locked), and deletes what belongs to them. Ranges that can
-- go whole are the business of drop_ranges(). So with the retention of the settings, rows go row by
-- row only when they have been past for a third of it: by then their range was dropped, if nothing
-- keeps it. A caller that chooses a retention gets all of it at once.
--
-- After a call that had much to do it rests twice as long, for all callers together: a fleet prunes
-- no more than one worker.
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
  v_retention interval := (select setting.retention from setting);
  v_before timestamptz := prune_before(p_retention, v_now);
  v_end uuid := id_at(greatest(0, millis(
    case when p_retention is null then v_before - v_retention / 3 else v_before end)));
  v_place prune_place;
  v_took interval;
  v_result record;
begin
  ranges_dropped := 0; rows_deleted := 0; passed_over := 0; more := true;
  select * into v_place from prune_place
   where prune_place.asked = (p_retention is not null) for update skip locked;
  busy := not found
          or p_retention is null and v_place.rest_until > v_now
             and v_place.rest_until < v_now + interval '10 s';
  if busy then
    return next;
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  select * into v_result
    from prune_round(v_place, make_interval(secs => p_retention), v_now, v_before, v_end);
  v_place := v_result.p_place;
  if v_result.begins or v_place.ended then
    -- a short retention that makes room must not thereby have files sent twice
    delete from dispatch_progress
     where dispatch_progress.ctid = any (array(
       select past.ctid from dispatch_progress past
        where past.updated_at < v_now - greatest(make_interval(secs => p_retention), v_retention)
        limit 1000 for update skip locked));
    delete from prune_fault
     where not exists (select from finished where finished.id = prune_fault.id);
  end if;
  select * into v_result from prune_walk(v_place, v_now, v_before, v_end);
  v_place := v_result.p_place;
  rows_deleted := v_result.deleted; passed_over := v_result.passed_over;
  if p_retention is null and exists (select from tenant_retention) then
    rows_deleted := rows_deleted + prune_tenant(v_now, 1000);
  end if;
  v_took := least(greatest(fairclaim.clock() - v_now, interval '0'), interval '1 s');
  update prune_place
     set retention = v_place.retention, place = v_place.place, ahead = v_place.ahead,
         round_at = v_place.round_at, ended = v_place.ended, left_since = v_place.left_since,
         cost = v_place.cost + v_took,
         rest_until = v_now + case when v_took < interval '50 ms' then interval '0'
                                   else 3 * v_took end
   where prune_place.asked = v_place.asked;
  more := not v_place.ended and passed_over < 16;
  return next;
end
$$;

comment on function fairclaim.prune(float8) is
'Deletes jobs that ended before the retention began (the setting, 7 days at first, or a shorter one of their tenant), and how far sources of dispatch_lines were sent (not counted; never sooner than the setting says). A call takes at most 200 ms or so: call it while `more`; workers do. Jobs go row by row here, once they have been past the retention of the settings for a third of it: drop_ranges() drops whole ranges before that, and is to be called first. p_retention: another one in seconds, for operators only, at least 3,600, which holds for every job at once. rows_deleted: jobs. passed_over: jobs that could not be deleted; the server''s log has their ids and the SQLSTATE, and `fairclaim doctor` tells them. busy: another prune is at work, or all of them rest. ranges_dropped is always 0.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.prune(float8) to fairclaim_worker, fairclaim_operator;
