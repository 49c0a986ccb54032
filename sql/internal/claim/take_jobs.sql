-- All of a claim but the wide rows, which the caller reads by the ids of `jobs`: so claim_jobs and
-- settle_and_claim pay for one answer each.
-- Locks, in this order: slots of claim_lock (skip locked), rows of `ready` (skip locked, exactly
-- those taken). Waits for no row. Only a lock on a whole table makes it wait, also that of the wide
-- rows: if that took longer than the lease, the claim is of no use, and its caller refuses it
-- (refuse_late).
-- A claim of one in a queue where nothing special applies is one statement (claim_one); everything
-- else goes through claim_from_queue. Its callers pin jit, enable_seqscan and plan_cache_mode for
-- it too.
create or replace function fairclaim_internal.take_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[],
  p_lease float8,
  p_cursor text,
  p_lease_token uuid,
  p_idle_for float8,
  p_alone boolean,
  out jobs fairclaim_internal.ready[],
  out token uuid,
  out expires_at timestamptz,
  out cursor text
)
language plpgsql
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_is_good boolean;                          -- an assignment is cheaper than a statement
  v_entries text[];                           -- the cursor, an entry a queue
  v_entry text;
  v_at int := 0;
  v_queue text collate "C";
  v_last text collate "C" := '';              -- the queue visited last
  v_start text collate "C" := '';             -- the queue that the call before this one ended with
  v_around boolean := false;                  -- all queues by name: past the last one, and on
  v_limited boolean;                          -- some tenant has a limit; null before the first look
  v_paused boolean;
  v_pos bigint;
  v_used int;
  v_shared int;
  v_taken record;                             -- what one queue gave
  v_from text[];                              -- of each job its queue, where there are limits
  v_is_taken boolean := false;
begin
  v_is_good := check_claim(p_worker_id, p_queues, p_limit, p_types, p_lease);
  token := coalesce(p_lease_token, gen_random_uuid());
  expires_at := v_now + make_interval(secs => p_lease);
  if p_alone is not false then
    p_alone := coalesce(p_alone, false);
    p_limit := case when p_alone then 1 else p_limit end;
  end if;
  if p_cursor is not null then                -- each call starts at the queue after the last one's
    v_entries := check_cursor(p_cursor);
    v_start := split_part(v_entries[1], '|', 1);
    v_last := v_start;
    v_at := coalesce(array_position(p_queues, v_start), 0);
  end if;
  for v_visit in 1 .. coalesce(cardinality(p_queues), 1000000) loop
    if p_queues is not null then
      v_at := v_at % cardinality(p_queues) + 1;
      v_queue := p_queues[v_at];
    else
      v_queue := next_queue(v_last, p_alone);
      if v_queue is null and not v_around then
        v_around := true;
        v_queue := next_queue('', p_alone);
      end if;
      exit when v_queue is null or v_around and v_queue > v_start;
    end if;
    v_last := v_queue;
    v_entry := null;
    if split_part(v_entries[1], '|', 1) = v_queue then
      v_entry := v_entries[1];
      v_entries := v_entries[2:];
    elsif cardinality(v_entries) > 1 then
      select part.entry into v_entry from unnest(v_entries) part(entry)
       where split_part(part.entry, '|', 1) = v_queue limit 1;
      v_entries := array_remove(v_entries, v_entry);
    end if;
    if v_entry is null then                   -- a random turn at first
      v_pos := uuid_hash_extended(token, 0);
      v_used := 0;
      v_shared := v_pos >> 20 & 3;
    else
      v_pos := split_part(v_entry, '|', 2);
      v_used := split_part(v_entry, '|', 3);
      v_shared := split_part(v_entry, '|', 4);
    end if;
    if p_limit = 1 and not p_alone then
      v_taken := claim_one(v_queue, p_types, v_pos, v_used, v_shared);
      v_is_taken := v_taken.jobs is not null;
    end if;
    if not v_is_taken then
      if v_limited is null then               -- the lock first, so that a tick knows which claims
        lock table ready in row exclusive mode;      -- began before a limit
        select exists (select from running_limit),
               exists (select from queue where queue.paused_at is not null)
          into v_limited, v_paused;
      end if;
      -- named twice: what was taken there at first is not among the running yet
      continue when v_limited and array_position(v_from, v_queue) is not null;
      continue when v_paused
        and exists (select from queue where queue.name = v_queue and queue.paused_at is not null);
      v_taken := claim_from_queue(v_queue, p_limit - coalesce(cardinality(jobs), 0), p_types,
        v_limited, p_alone, v_pos, v_used, v_shared, jobs);
    end if;
    jobs := jobs || v_taken.jobs;
    if v_limited then
      v_from := v_from
        || array_fill(v_queue, array[coalesce(cardinality(v_taken.jobs), 0)]);
    end if;
    v_entries := concat_ws('|', v_queue, v_taken.p_pos, v_taken.p_used, v_taken.p_shared)
                 || v_entries[1:31];
    exit when cardinality(jobs) >= p_limit;
  end loop;

  if jobs is null then
    perform note_idle(v_now, p_idle_for);
    if v_limited then
      perform note_rates(v_now);
    end if;
    return;
  end if;
  cursor := array_to_string(v_entries, ';');
  if v_limited then
    perform run_limited(jobs, v_from, token, expires_at, p_worker_id);
    if exists (select from running_limit where running_limit.units is not null) then
      perform charge_rates(jobs, v_from, fairclaim.clock());
    end if;
  else
    insert into running (id, tenant_id, lease_token, lease_expires_at, attempt, attempts_left, lost,
                         queue_group, watched, limited, worker_id)
    select taken.id, taken.tenant_id, token, expires_at, taken.attempts + 1, taken.attempts_left,
           taken.lost, 0, taken.watched, false, p_worker_id
      from unnest(jobs) taken;
  end if;
  if p_lease < 30 then                        -- every worker ticks within half a minute anyway
    if coalesce(pg_sequence_last_value('look_by'), 0) > millis(expires_at) + 5000 then
      perform wake_before(v_now, expires_at + interval '5 s');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.take_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean) is
'Takes jobs out of `ready` and starts their attempts: `jobs` as they waited, null for none, with the lease and the next cursor.';
