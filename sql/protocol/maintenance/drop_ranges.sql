-- Drops at most one range a call, since its locks last until the transaction ends, and looks at 16
-- at most. A range is looked at again only when what kept it may be past: the latest end, or a
-- minute after an unfinished job was seen. A caller that keeps the transaction open after a drop
-- keeps all others waiting: so the idle time and the next statements are bounded, and the
-- transaction cannot be prepared (rehearse_drop). Lock order: the tables of the range (share row
-- exclusive), then job, finished, attempt_error (exclusive).
create or replace function fairclaim.drop_ranges(p_retention float8 default null)
returns table (ranges_dropped int, ranges_in_use int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set lock_timeout = '5ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_before timestamptz := prune_before(p_retention, v_now);
  v_far timestamptz := v_now + 5 * range_width();
  v_range id_range;
  v_looked boolean := false;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'drop_ranges needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  ranges_dropped := 0; ranges_in_use := 0;
  for v_range in
    select * from id_range span
     where (span.ends_at < v_before           -- but not the last one, which dispatch needs
            and span.ends_at < (select max(other.ends_at) from id_range other)
            or span.starts_at > v_far
            and exists (select from id_range other where other.starts_at < v_far))
       and (span.last_end is null or span.last_end < v_before or span.last_end > v_now)
       and (span.kept_at is null or span.kept_at < v_now - interval '1 minute'
            or span.kept_at > v_now)
     order by span.starts_at limit 16
  loop
    if not v_looked then
      v_looked := true;
      if is_held_long() then
        ranges_in_use := 1;
        exit;                                 -- what holds the parents holds all ranges
      end if;
    end if;
    case drop_range(v_range.starts_at, v_before)
      when 1 then
        ranges_dropped := 1;
        perform set_config('idle_in_transaction_session_timeout', '1s', true);
        if current_setting('statement_timeout')::interval
           not between interval '1 ms' and interval '5 s' then
          perform set_config('statement_timeout', '5s', true);
        end if;
        exit;
      when -1 then ranges_in_use := ranges_in_use + 1;
      when -2 then
        ranges_in_use := ranges_in_use + 1;
        exit;                                 -- others wait for these locks once a call, not twice
      else null;
    end case;
  end loop;
  return next;
end
$$;

comment on function fairclaim.drop_ranges(float8) is
'Drops a range of ids (partitions of job, finished, attempt_error) in which every job has ended before the retention began, or one that a wrong clock has left far ahead and that is empty. One a call: call it until ranges_dropped is 0, each in a transaction of its own; workers do. ranges_in_use: how many it met that are in use just now, such as a reader that stays in its transaction, or cannot drop at this moment; prune() deletes their rows meanwhile. p_retention: in seconds, operators only.
Errors: JQ004 (also outside READ COMMITTED), JQ007.';

grant execute on function fairclaim.drop_ranges(float8) to fairclaim_worker, fairclaim_operator;
