-- The two halves in this order, so that what a settlement frees can be claimed, and then one row that says what to do next. An error in one
-- half is an error of the call: both are undone.
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
  kind text,
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout float8, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text,
  next_claim_in float8, extend_in float8, tick_in float8, prune_due boolean, cancelled uuid[], suspect_waiting boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_list text;                                -- one that has items for no id
  v_asleep boolean := p_limit > 0 and cardinality(p_ids) > 0
                      and coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(fairclaim.clock());
  v_claimed int := 0;
  v_next record;
  v_freed text;                               -- tenants under whose limits the settlement has made room
begin
  if v_asleep then
    perform set_config('fairclaim.freed', '?', true);
  end if;
  if cardinality(p_ids) > 0 then
    return query
    select s.kind, s.id, null::uuid, null::text, s.status, null::jsonb, null::jsonb, null::text, s.attempts,
           null::timestamptz, null::timestamptz, null::timestamptz, null::text, null::int, null::int,
           null::int, null::int, null::float8, null::text[], null::jsonb, null::uuid, null::timestamptz, null::text,
           null::float8, null::float8, null::float8, null::boolean, null::uuid[], null::boolean
      from fairclaim.settle_jobs(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays) s;
  else
    v_list := case when cardinality(p_attempts) > 0 then 'p_attempts'
                   when cardinality(p_lease_tokens) > 0 then 'p_lease_tokens'
                   when cardinality(p_outcomes) > 0 then 'p_outcomes'
                   when cardinality(p_results) > 0 then 'p_results'
                   when cardinality(p_errors) > 0 then 'p_errors'
                   when cardinality(p_delays) > 0 then 'p_delays' end;
    if v_list is not null then                -- a caller that lost its ids must not believe that it settled
      perform refuse('JQ004', v_list, 'must have as many items as p_ids',
        'give p_ids too, or leave all lists of the settlement empty');
    end if;
  end if;
  next_cursor := p_cursor;
  if p_limit <> 0 or p_limit is null then
    return query
    select 'claimed'::text, c.id, c.tenant_id, c.type, c.status, c.payload, c.result, c.worker_id, c.attempts,
           c.next_retry_at, c.created_at, c.completed_at, c.queue, c.priority, c.max_attempts,
           c.attempts_left, c.lost, c.timeout, c.tags, c.metadata, c.lease_token, c.lease_expires_at, null::text,
           null::float8, null::float8, null::float8, null::boolean, null::uuid[], null::boolean
      from fairclaim.claim_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token, p_idle_for, p_alone) c;
    get diagnostics v_claimed = row_count;
    if v_claimed > 0 then
      next_cursor := current_setting('fairclaim.cursor');
    end if;
  end if;
  if v_asleep then                            -- whoever sleeps gets what this claim has left
    v_freed := current_setting('fairclaim.freed');
    perform set_config('fairclaim.freed', '', true);
    if v_freed <> '?' then
      perform wake_freed(fairclaim.clock(), string_to_array(v_freed, ',')::uuid[]);
    end if;
  end if;
  v_next := next_step(p_worker_id, p_queues, p_types, v_claimed >= p_limit or p_alone and v_claimed > 0,
                                v_claimed > 0 or cardinality(p_ids) > 0);
  kind := 'next';
  next_claim_in := v_next.next_claim_in; extend_in := p_lease / 3; tick_in := v_next.tick_in; prune_due := v_next.prune_due;
  cancelled := v_next.cancelled; suspect_waiting := v_next.suspect_waiting;
  return next;
end
$$;

comment on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[], text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean) is
'settle_jobs and claim_jobs in one round trip and one transaction: the one call of a whole worker. Empty p_ids (then every list is empty or null) or p_limit 0 leave one half out. kind tells the rows apart:
settled, already, stale: an answer of settle_jobs (id, attempts, status). claimed: a job, as claim_jobs answers it (its next_cursor is in the last row).
next: always one, the last. next_cursor: p_cursor of the next claim that follows this one. next_claim_in: in how many seconds it is worth asking again, by what is known now: 0 at once, since the claim brought all it asked for; else wait so long, or until LISTEN tells, and never longer than your own poll (a second where nothing wakes you). extend_in: when to call extend_leases for what you still hold, a third of the lease. tick_in: when to call tick(), 0 now. prune_due: call drop_ranges() and prune(). cancelled: jobs of this worker that somebody asked to stop, null for none (the newest ones, if very many were asked for; extend_leases tells of each). suspect_waiting: a job whose workers died twice waits in these queues, of these types: run empty, then claim it with p_alone.
An error is one of the whole call, and both halves are undone: settle again by itself (settle_jobs) and then claim. Errors: those of settle_jobs and claim_jobs.';

grant execute on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[], text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean)
  to fairclaim_worker;
