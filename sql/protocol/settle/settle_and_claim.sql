-- The two halves in this order, so that what a settlement frees can be claimed, and then one row
-- that says what to do next. An error in one half is an error of the call: both are undone.
-- The last row goes with each call, so it is made of sequences, which cost next to nothing. Nothing
-- becomes claimable by itself: a dispatch tells, and all else is done by a tick. So what a claim
-- that was not filled has to wait for is the next tick, which comes every second while there is
-- work. Tables are looked at only where a sequence says that there may be something: wishes to
-- cancel when one was made within a minute, and jobs that run alone when a tick has seen a lane of
-- such within a minute. A time more than a minute ahead is of a clock that was wrong.
-- The pins are for the claim, as in claim_jobs.
create or replace function fairclaim.settle_and_claim(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[],
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease float8 default 30,
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  kind text, id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb,
  worker_id text, attempts int, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, queue text, priority int, max_attempts int, attempts_left int, lost int,
  timeout float8, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text, next_claim_in float8, extend_in float8, tick_in float8, prune_due boolean,
  cancelled uuid[], suspect_waiting boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_ms bigint := millis(fairclaim.clock());
  v_list text;                                -- one that has items for no id
  v_is_asleep boolean := false;               -- some worker sleeps, and is to get what is left
  v_freed text;                               -- tenants under whose limits there is room now
  v_claim record;
  v_claimed int := 0;
  v_is_moved boolean := false;                -- a job of a key, into a lane
  v_tick bigint;                              -- when to tick, in milliseconds from now
  v_rest int := 600000;                       -- how long a prune rests while there is little to do
begin
  if cardinality(p_ids) > 0 then
    if p_limit > 0 then
      v_is_asleep := coalesce(pg_sequence_last_value('asleep_until') > v_ms, false);
      if v_is_asleep then
        perform set_config('fairclaim.freed', '?', true);
      end if;
    end if;
    return query
    select answer.kind, answer.id, null::uuid, null::text, answer.status, null::jsonb, null::jsonb,
           null::text, answer.attempts, null::timestamptz, null::timestamptz, null::timestamptz,
           null::text, null::int, null::int, null::int, null::int, null::float8, null::text[],
           null::jsonb, null::uuid, null::timestamptz, null::text, null::float8, null::float8,
           null::float8, null::boolean, null::uuid[], null::boolean
      from fairclaim.settle_jobs(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes,
             p_results, p_errors, p_delays) answer;
  elsif coalesce(array_ndims(p_attempts), array_ndims(p_lease_tokens), array_ndims(p_outcomes),
          array_ndims(p_results), array_ndims(p_errors), array_ndims(p_delays)) is not null then
    v_list := case when cardinality(p_attempts) > 0 then 'p_attempts'
                   when cardinality(p_lease_tokens) > 0 then 'p_lease_tokens'
                   when cardinality(p_outcomes) > 0 then 'p_outcomes'
                   when cardinality(p_results) > 0 then 'p_results'
                   when cardinality(p_errors) > 0 then 'p_errors'
                   else 'p_delays' end;
    -- a caller that lost its ids must not believe that it settled
    perform refuse('JQ004', v_list, 'must have as many items as p_ids',
      'give p_ids too, or leave all lists of the settlement empty');
  end if;
  next_cursor := p_cursor;
  if p_limit <> 0 or p_limit is null then
    v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token,
      p_idle_for, p_alone);
    if coalesce(cardinality(v_claim.jobs), 0) < p_limit
       and abs(pg_sequence_last_value('key_noted_at') - v_ms) <= 60000 then
      v_is_moved := not p_alone
        and admit_some(p_limit - coalesce(cardinality(v_claim.jobs), 0));
      if v_is_moved and v_claim.jobs is null then
        v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor,
          p_lease_token, p_idle_for, p_alone);
      end if;
    end if;
    if v_claim.jobs is not null then
      next_cursor := v_claim.cursor;
      return query                            -- never `job` first: offset 0
      select 'claimed'::text, wide.id, wide.tenant_id, wide.type, 'processing'::text, wide.payload,
             null::jsonb, p_worker_id, taken.attempts + 1, null::timestamptz, wide.created_at,
             null::timestamptz, wide.queue, wide.priority::int, wide.max_attempts::int,
             taken.attempts_left::int, taken.lost::int, date_part('epoch', wide.timeout),
             wide.tags, wide.metadata, v_claim.token, v_claim.expires_at, null::text, null::float8,
             null::float8, null::float8, null::boolean, null::uuid[], null::boolean
        from unnest(v_claim.jobs) taken
       cross join lateral (
         select * from job
          where job.tenant_id = taken.tenant_id and job.id = taken.id offset 0) wide;
      if fairclaim.clock() >= v_claim.expires_at then
        perform refuse_late(v_claim.expires_at);
      end if;
      v_claimed := cardinality(v_claim.jobs);
    end if;
  end if;
  if v_is_asleep then
    v_freed := current_setting('fairclaim.freed');
    perform set_config('fairclaim.freed', '', true);
    if v_freed <> '?' then
      perform wake_freed(fairclaim.clock(), string_to_array(v_freed, ',')::uuid[]);
    end if;
  end if;

  kind := 'next';
  v_tick := coalesce(pg_sequence_last_value('tick_at'), 0) - v_ms;
  if v_claimed > 0 or cardinality(p_ids) > 0 then
    v_tick := least(v_tick, coalesce(pg_sequence_last_value('round_at'), 0) + 1000 - v_ms);
    v_rest := 60000;
  end if;
  tick_in := case when v_tick between 0 and 60000 then v_tick / 1000::float8 else 0 end;
  next_claim_in := case when v_claimed >= p_limit or p_alone and v_claimed > 0
                             or v_is_moved and v_claimed > 0 then 0
                        else greatest(tick_in, 0.05) end;
  extend_in := p_lease / 3;
  prune_due := coalesce(v_ms - pg_sequence_last_value('pruned_at') not between 0 and v_rest, true);
  if abs(pg_sequence_last_value('wished_at') - v_ms) <= 60000 then
    cancelled := cancelled_jobs(p_worker_id);
  end if;
  suspect_waiting := false;
  if abs(pg_sequence_last_value('suspects_at') - v_ms) <= 60000 then
    suspect_waiting := is_suspect_waiting(p_queues, p_types);
  end if;
  return next;
end
$$;

comment on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean) is
'settle_jobs and claim_jobs in one round trip and one transaction: the one call of a whole worker. Empty p_ids (then every list is empty or null) or p_limit 0 leave one half out. kind tells the rows apart:
settled, already, stale: an answer of settle_jobs (id, attempts, status). claimed: a job, as claim_jobs answers it (its next_cursor is in the last row).
next: always one, the last. next_cursor: p_cursor of the next claim that follows this one. next_claim_in: in how many seconds it is worth asking again, by what is known now: 0 at once, since the claim brought all it asked for; else wait so long, or until LISTEN tells, and never longer than your own poll (a second where nothing wakes you). extend_in: when to call extend_leases for what you still hold, a third of the lease. tick_in: when to call tick(), 0 now. prune_due: call drop_ranges() and prune(). cancelled: jobs of this worker that a producer or an operator asked to cancel, null for none (the newest ones, if very many were asked for; extend_leases tells of each). suspect_waiting: a job whose workers died twice waits in these queues, of these types: run empty, then claim it with p_alone.
An error is one of the whole call, and both halves are undone: settle again by itself (settle_jobs) and then claim. Errors: those of settle_jobs and claim_jobs.';

grant execute on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean)
  to fairclaim_worker;
