-- Locks, in this order: limit rows (by tenant, skip locked), rows of `ready` (skip locked, exactly those taken). Waits for nobody.
-- Only a lock on a whole table makes it wait; if that took longer than the lease, nobody can use what it claims, and it refuses itself.
-- The lock on `ready` comes before the first look at the limits, so that tick knows which claims began before a limit.
drop function if exists fairclaim.claim_jobs(text, text[], int, text[], interval, text);      -- before it had p_lease_token
drop function if exists fairclaim.claim_jobs(text, text[], int, text[], interval, text, uuid);      -- before it had p_alone
create or replace function fairclaim.claim_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease interval default '30 s',
  p_cursor text default null,
  p_lease_token uuid default null,
  p_alone boolean default false
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
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
  v_token uuid := coalesce(p_lease_token, gen_random_uuid());
  v_queues text[];
  v_entries text[];                           -- the cursor, an entry a queue
  v_entry text;
  v_queue text;
  v_at int;
  v_limited boolean;
  v_got int := 0;
  v_pos bigint;
  v_used int;
  v_shared int;
  v_ids uuid[];
  v_tenants uuid[];
  v_attempts int[];
  v_lefts smallint[];
  v_losts smallint[];
  t record;
begin
  perform fairclaim.check_claim(p_worker_id, p_queues, p_limit, p_types, p_lease);
  v_entries := fairclaim.check_cursor(p_cursor);
  lock table fairclaim.ready in row exclusive mode;
  select exists (select from fairclaim.tenant_limit) into v_limited;
  v_queues := fairclaim.open_queues(p_queues);
  v_at := coalesce(array_position(v_queues, split_part(v_entries[1], '|', 1)), 0);      -- start at the queue after the last one

  if p_alone then
    with taken as materialized (
      select y.* from fairclaim.lane l
       cross join lateral (
         select y.ctid c, y.* from fairclaim.ready y
          where y.lane_id = l.lane_id and y.seq >= l.floor and y.lost >= 2
          order by y.lane_id, y.seq limit 1 for update skip locked) y
       where l.queue = any (v_queues) and (p_types is null or l.type = any (p_types))
       limit 1),
    gone as (
      delete from fairclaim.ready y where y.ctid = any (array(select taken.c from taken)))
    select array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.attempts + 1), array_agg(taken.attempts_left),
           array_agg(taken.lost)
      into v_ids, v_tenants, v_attempts, v_lefts, v_losts
      from taken;
    if v_ids is not null then
      return query select * from fairclaim.start_attempts(p_worker_id, v_ids, v_tenants, v_attempts, v_lefts, v_losts,
        v_limited, v_token, v_now + p_lease, null::text);
      perform fairclaim.refuse_late(v_now + p_lease);
    end if;
    return;
  end if;

  for v_visit in 1 .. coalesce(cardinality(v_queues), 0) loop
    v_at := v_at % cardinality(v_queues) + 1;
    v_queue := v_queues[v_at];
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
    if p_limit = 1 and p_types is null and not v_limited
       and not exists (select from fairclaim.lane o where o.tenant_id is not null and o.priority > 0 and o.queue = v_queue) then
      return query select * from fairclaim.claim_one(p_worker_id, v_queue, v_pos, v_used, v_shared, v_token, v_now + p_lease,
        coalesce(';' || nullif(array_to_string(v_entries[1:31], ';'), ''), ''));
      if found then
        perform fairclaim.refuse_late(v_now + p_lease);
        return;
      end if;
    else
      select * into t from fairclaim.claim_from_queue(v_queue, p_limit - v_got, p_types, v_limited, v_pos, v_used, v_shared, v_tenants);
      v_pos := t.p_pos; v_used := t.p_used; v_shared := t.p_shared;
      if t.ids is not null then
        v_ids := v_ids || t.ids; v_tenants := v_tenants || t.tenants; v_attempts := v_attempts || t.attempts;
        v_lefts := v_lefts || t.lefts; v_losts := v_losts || t.losts;
        v_got := cardinality(v_ids);
      end if;
    end if;
    v_entries := (v_queue || '|' || v_pos || '|' || v_used || '|' || v_shared) || v_entries[1:31];
    exit when v_got >= p_limit;
  end loop;

  if v_got > 0 then
    return query select * from fairclaim.start_attempts(p_worker_id, v_ids, v_tenants, v_attempts, v_lefts, v_losts,
      v_limited, v_token, v_now + p_lease, array_to_string(v_entries, ';'));
    perform fairclaim.refuse_late(v_now + p_lease);
  else
    perform fairclaim.note_idle(v_now);
  end if;
end
$$;

comment on function fairclaim.claim_jobs(text, text[], int, text[], interval, text, uuid, boolean) is
'Takes up to p_limit (1 to 1,000) jobs to run, each by exactly one worker at a time, tenants in turn; empty when there is none. Starts an attempt of each: attempts grows by one, and (id, attempts, lease_token) is needed to settle it before lease_expires_at.
p_queues: null for every queue that is not paused; queues are visited in turn. p_types: null for every type. p_lease: 1 s to 24 h.
p_cursor: next_cursor of this worker''s last claim (null at first): it holds the worker''s place in the round.
p_lease_token: the token of all that is claimed, a random uuid of this call alone (null: one is made), so that a caller without an answer can give it back by release_claims.
p_alone: true for a job that two workers died of, which no other claim returns: for a caller that lets nothing else run beside it.
Errors: JQ004; 55P03 when it had to wait for so long that the lease would be over: nothing was claimed, repeat it. Needs READ COMMITTED.';
