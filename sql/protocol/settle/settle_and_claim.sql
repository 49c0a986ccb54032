create or replace function fairclaim.settle_and_claim(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results jsonb[],
  p_errors jsonb[],
  p_delays float8[],
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease interval default '30 s',
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  kind text, accepted boolean,
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts int,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, queue text, priority int, max_attempts int,
  attempts_left int, lost int, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text
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
  v_freed text;                               -- tenants under whose limits the settlement has made room
begin
  if v_asleep then
    perform set_config('fairclaim.freed', '?', true);
  end if;
  if cardinality(p_ids) > 0 then
    return query
    select 'settled'::text, s.accepted, s.id, null::uuid, null::text, s.status, null::jsonb, null::jsonb, null::text, null::int,
           null::timestamptz, null::timestamptz, null::timestamptz, null::text, null::int, null::int,
           null::int, null::int, null::interval, null::text[], null::jsonb, null::uuid, null::timestamptz, null::text
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
  if p_limit <> 0 or p_limit is null then
    return query
    select 'claimed'::text, null::boolean, c.*
      from fairclaim.claim_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token, p_idle_for, p_alone) c;
  end if;
  if v_asleep then                            -- whoever sleeps gets what this claim has left
    v_freed := current_setting('fairclaim.freed');
    perform set_config('fairclaim.freed', '', true);
    if v_freed <> '?' then
      perform wake_freed(fairclaim.clock(), string_to_array(v_freed, ',')::uuid[]);
    end if;
  end if;
end
$$;

comment on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], jsonb[], jsonb[], float8[], text[], int, text[], interval, text, uuid, float8, boolean) is
'settle_jobs and claim_jobs in one round trip and one transaction. kind: settled (id, accepted and status are filled) or claimed (a row of claim_jobs). Empty p_ids (then every list is empty or null) or p_limit 0 leave one half out.';

grant execute on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], jsonb[], jsonb[], float8[], text[], int, text[], interval, text, uuid, float8, boolean)
  to fairclaim_worker;
