-- Locks, in this order: limit rows (by tenant, skip locked), rows of `ready` (skip locked, exactly those taken). Waits for nobody.
-- Only a lock on a whole table makes it wait; if that took longer than the lease, nobody can use what it claims, and it refuses itself.
-- The next cursor is left in fairclaim.cursor too, for settle_and_claim, which has no other way to it.
-- A claim of one in a queue where nothing special applies is one statement (claim_one); everything else goes through claim_from_queue.
create or replace function fairclaim.claim_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease float8 default 30,
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout float8, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_expires timestamptz;
  v_token uuid := coalesce(p_lease_token, gen_random_uuid());
  v_entries text[];                           -- the cursor, an entry a queue
  v_entry text;
  v_at int;
  v_queue text collate "C";
  v_last text collate "C";                    -- the queue visited last
  v_start text collate "C";                   -- the queue that the call before this one ended with: it is visited last
  v_around boolean := false;                  -- all queues by name: past the last one, and on from the first
  v_ok boolean;
  v_limited boolean;                          -- whether some tenant has a limit; null before the first look
  v_paused boolean;
  v_cursor text;                              -- the next one
  v_got int := 0;
  v_pos bigint;
  v_used int;
  v_shared int;
  v_jobs ready[];                             -- what was taken out of `ready`
  t record;
begin
  v_ok := check_claim(p_worker_id, p_queues, p_limit, p_types, p_lease);
  v_expires := v_now + make_interval(secs => p_lease);
  if p_alone is not false then
    p_alone := coalesce(p_alone, false);
    p_limit := case when p_alone then 1 else p_limit end;
  end if;
  v_entries := check_cursor(p_cursor);
  v_start := coalesce(split_part(v_entries[1], '|', 1), '');
  v_last := v_start;
  v_at := coalesce(array_position(p_queues, v_start), 0);      -- each call starts at the queue after the last one's
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
      select e into v_entry from unnest(v_entries) e where split_part(e, '|', 1) = v_queue limit 1;
      v_entries := array_remove(v_entries, v_entry);
    end if;
    v_pos := coalesce(split_part(v_entry, '|', 2)::bigint, uuid_hash_extended(v_token, 0));      -- a random turn at first
    v_used := coalesce(split_part(v_entry, '|', 3)::int, 0);
    v_shared := coalesce(split_part(v_entry, '|', 4)::int, (v_pos >> 20 & 3)::int);
    if p_limit = 1 and not p_alone then
      return query select * from claim_one(p_worker_id, v_queue, p_types, v_pos, v_used, v_shared, v_token, v_expires,
        coalesce(';' || nullif(array_to_string(v_entries[1:31], ';'), ''), ''));
      v_got := found::int;
      exit when v_got > 0;
    end if;
    if v_limited is null then                   -- the lock first, so that tick knows which claims began before a limit
      lock table ready in row exclusive mode;
      select exists (select from tenant_limit), exists (select from queue q where q.paused_at is not null)
        into v_limited, v_paused;
    end if;
    continue when v_paused and exists (select from queue q where q.name = v_queue and q.paused_at is not null);
    t := claim_from_queue(v_queue, p_limit - v_got, p_types, v_limited, p_alone, v_pos, v_used, v_shared, v_jobs);
    v_pos := t.p_pos; v_used := t.p_used; v_shared := t.p_shared;
    if t.jobs is not null then
      v_jobs := v_jobs || t.jobs;
      v_got := cardinality(v_jobs);
    end if;
    v_entries := (v_queue || '|' || v_pos || '|' || v_used || '|' || v_shared) || v_entries[1:31];
    exit when v_got >= p_limit;
  end loop;

  if v_jobs is not null then                     -- into `running`, and the wide rows out: never `job` first (offset 0)
    v_cursor := set_config('fairclaim.cursor', array_to_string(v_entries, ';'), true);
    return query
    with started as (
      insert into running (id, tenant_id, lease_token, lease_expires_at, attempt, attempts_left, lost, limited, worker_id)
      select taken.id, taken.tenant_id, v_token, v_expires, taken.attempts + 1, taken.attempts_left, taken.lost,
             v_limited and exists (select from tenant_limit where tenant_limit.tenant_id = taken.tenant_id), p_worker_id
        from unnest(v_jobs) taken)
    select wide.id, wide.tenant_id, wide.type, 'processing'::text, wide.payload, null::jsonb, p_worker_id, taken.attempts + 1,
           null::timestamptz, wide.created_at, null::timestamptz, wide.queue, wide.priority::int, wide.max_attempts::int,
           taken.attempts_left::int, taken.lost::int, date_part('epoch', wide.timeout), wide.tags, wide.metadata, v_token, v_expires, v_cursor
      from unnest(v_jobs) taken
     cross join lateral (
       select * from job where job.tenant_id = taken.tenant_id and job.id = taken.id offset 0) wide;
  elsif v_got = 0 then
    perform note_idle(v_now, p_idle_for);
    return;
  end if;
  if p_lease < 30 and coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_expires) + 5000 then
    perform wake_before(v_now, v_expires + interval '5 s');      -- everybody ticks within half a minute anyway
  end if;
  if fairclaim.clock() >= v_expires then
    perform refuse_late(v_expires);
  end if;
end
$$;

comment on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid, float8, boolean) is
'Takes up to p_limit (1 to 1,000) jobs to run, each by exactly one worker at a time, tenants in turn; empty when there is none. Starts an attempt of each: attempts grows by one, and (id, attempts, lease_token) is needed to settle it before lease_expires_at.
p_queues: null for every queue that is not paused; queues are visited in turn. p_types: null for every type. p_lease: seconds, 1 to 86,400.
p_cursor: next_cursor of an earlier claim of this worker (null at first): its place in the round. A worker with several claims under way keeps one for each of them.
p_lease_token: the token of all that is claimed, a random uuid of this call alone (null: one is made), so that a caller without an answer can give it back by release_claims.
p_idle_for: for how many seconds a caller that gets nothing will be idle unless it is woken by LISTEN; 0 when nothing wakes it, null for about a second.
p_alone: true claims one job whose workers died twice, the oldest, or nothing, whatever p_limit says; no other claim returns such a job. For a caller that holds nothing else and claims nothing until it is settled, so that no other job is lost with it. One that no worker takes within setting.suspect_wait (an hour at first) fails, with the error code lost.
Errors: JQ004; 55P03 when it had to wait for so long that the lease would be over: nothing was claimed, repeat it. Needs READ COMMITTED.';

grant execute on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid, float8, boolean)
  to fairclaim_worker;
