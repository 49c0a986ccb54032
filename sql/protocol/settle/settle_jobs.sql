-- By id, attempt and token. One complete: one statement; all complete: one statement, without
-- results and with; else the general way. No join with `running`: it may walk all of it, dead rows
-- too, when its statistics say that it is empty. A list of results, errors or delays that holds
-- nothing but nulls costs what null costs. An attempt that counted under a limit leaves room for
-- others of its tenant: its tenant is noted, and workers that sleep are told in the end. So is the
-- tenant of a job that moved up since one of its key has ended.
-- Every transaction sets up again each expression that it reaches: what is rarely needed stands in
-- an `if` of its own.
create or replace function fairclaim.settle_jobs(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[] default null,
  p_errors text[] default null,
  p_delays float8[] default null
) returns table (id uuid, attempts int, kind text, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_nestloop = off        -- of ended attempts with their results: never of `running` itself
set plan_cache_mode = force_generic_plan
set work_mem = '128MB'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_n int := cardinality(p_ids);
  v_dims text := array_dims(p_ids);
  v_outcomes text[] := p_outcomes;
  v_results jsonb[];
  v_errors jsonb[];
  v_is_complete boolean := 'complete' = all (p_outcomes);
  v_is_good boolean;
  v_read record;
  v_freed uuid[];                             -- tenants under whose limits there is room now
  v_is_watched boolean;
begin
  -- what can be told in one expression: everything completed, without errors and delays
  v_is_good := length(p_worker_id) between 1 and 255
    and p_worker_id !~ E'[[:cntrl:]\\u0080-\\u009f]'
    and v_is_complete and v_n <= 10000 and v_dims = '[1:' || v_n || ']'
    and array_position(p_ids, null) is null    -- which fails in a list of lists
    and v_dims = all (array[array_dims(p_attempts), array_dims(p_lease_tokens),
                            array_dims(p_outcomes)]);
  if p_results is not null or p_errors is not null or p_delays is not null then
    v_is_good := v_is_good
      and (p_results is null or array_dims(p_results) = v_dims)
      and (p_errors is null
           or num_nonnulls(variadic p_errors) = 0 and array_dims(p_errors) = v_dims)
      and (p_delays is null
           or num_nonnulls(variadic p_delays) = 0 and array_dims(p_delays) = v_dims);
  end if;
  if v_is_good is not true then
    perform check_settle(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results,
      p_errors, p_delays);
    if v_n = 0 then
      return;
    end if;
  end if;
  if p_results is not null or p_errors is not null then
    if num_nonnulls(variadic p_results) > 0 or num_nonnulls(variadic p_errors) > 0 then
      v_read := read_texts(p_outcomes, p_results, p_errors);
      v_outcomes := v_read.outcomes;
      v_results := v_read.results;
      v_errors := v_read.errors;
      v_is_complete := 'complete' = all (v_outcomes);
    end if;
  end if;

  if v_is_complete and v_n = 1 then
    with gone as (
      delete from running
       where running.id = p_ids[1] and running.attempt = p_attempts[1]
         and running.lease_token = p_lease_tokens[1]
      returning running.tenant_id, running.attempt, running.limited, running.watched)
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select p_ids[1], gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id, v_results[1],
           null
      from gone
    returning case when (select gone.limited from gone) then array[finished.tenant_id] end,
              (select gone.watched from gone)
      into v_freed, v_is_watched;
    id := p_ids[1];
    attempts := p_attempts[1];
    kind := case when found then 'settled'
                 else stale_kind(p_worker_id, id, attempts, 'complete') end;
    status := case when kind <> 'stale' then 'completed' end;
    return next;
  elsif v_is_complete         -- answers and results go by id here
        and (select count(distinct given.id) from unnest(p_ids) given(id)) = v_n then
    if current_setting('fairclaim.noted', true) <> '' then      -- the caller's session has set it
      perform set_config('fairclaim.noted', '', true);
    end if;
    if current_setting('fairclaim.watched', true) = '1' then
      perform set_config('fairclaim.watched', '', true);
    end if;
    if v_results is null then
      return query
      with gone as (
        delete from running
         where running.id = any (p_ids)
           and case when (running.id, running.attempt::int, running.lease_token) in (
                 select given.id, given.attempt, given.lease_token
                   from unnest(p_ids, p_attempts, p_lease_tokens)
                        given(id, attempt, lease_token)) then true end
        returning running.id, running.tenant_id, running.attempt,
                  case when running.limited then note_freed(running.tenant_id) end,
                  case when running.watched then note_watched() end),
      final as (
        insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result,
                              error)
        select gone.id, gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id, null, null
          from gone
        returning finished.id)
      select answer.id, answer.attempt, answer.kind,
             case when answer.kind <> 'stale' then 'completed' end
        from (select given.id, given.attempt,
                     case when given.id in (select final.id from final) then 'settled'
                          else stale_kind(p_worker_id, given.id, given.attempt, 'complete')
                     end as kind
                from unnest(p_ids, p_attempts) given(id, attempt) offset 0) answer;
    else
      return query
      with gone as (
        delete from running
         where running.id = any (p_ids)
           and case when (running.id, running.attempt::int, running.lease_token) in (
                 select given.id, given.attempt, given.lease_token
                   from unnest(p_ids, p_attempts, p_lease_tokens)
                        given(id, attempt, lease_token)) then true end
        returning running.id, running.tenant_id, running.attempt,
                  case when running.limited then note_freed(running.tenant_id) end,
                  case when running.watched then note_watched() end),
      final as (
        insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result,
                              error)
        select gone.id, gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id,
               given.result, null
          from gone
          join unnest(p_ids, v_results) given(id, result) on given.id = gone.id
        returning finished.id)
      select answer.id, answer.attempt, answer.kind,
             case when answer.kind <> 'stale' then 'completed' end
        from (select given.id, given.attempt,
                     case when given.id in (select final.id from final) then 'settled'
                          else stale_kind(p_worker_id, given.id, given.attempt, 'complete')
                     end as kind
                from unnest(p_ids, p_attempts) given(id, attempt) offset 0) answer;
    end if;
    if current_setting('fairclaim.noted', true) <> '' then
      v_freed := string_to_array(current_setting('fairclaim.noted'), ',')::uuid[];
      perform set_config('fairclaim.noted', '', true);
    end if;
    v_is_watched := current_setting('fairclaim.watched', true) = '1';
  else
    return query
    select answer.id, answer.attempts, answer.kind, answer.status
      from settle_mixed(p_worker_id, p_ids, p_attempts, p_lease_tokens, v_outcomes, v_results,
             v_errors, p_delays) answer;
  end if;
  if v_is_watched then
    v_freed := v_freed || tell_watchers(p_ids);
  end if;
  if v_freed is not null then
    perform leave_room(v_now, v_freed);
  end if;
end
$$;

comment on function fairclaim.settle_jobs(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[]) is
'Ends attempts. For each: id, attempts and lease_token of its claim, and an outcome:
complete (with p_results); retry (after p_delays seconds, or by the rule: 15 s doubled for every failure, at most an hour, 20 % either way; failed when no attempt is left); fail (for good); snooze (again after p_delays, at least 0.1, no attempt used); release (at once, no attempt used); cancel.
p_results, p_errors: texts of JSON. Each is read by itself: a result that cannot be stored (bad JSON, a NUL, more than 1 MiB as PostgreSQL writes it, deeper than 128) ends its own attempt as failed, with the code result_invalid; such an error becomes {"code": "error_invalid"}. A result belongs to complete only, an error to retry, fail and cancel, a delay to retry and snooze: elsewhere they are refused.
An error is {code, message, trace}, cut to 16 KiB, or a text, which becomes the message; a code is a word of at most 64 characters of A-Z a-z 0-9 _ . : -, a number becomes such a word, and any other code is dropped. Lists have one length, at most 10,000, and begin at 1; empty ones answer nothing.
Outside READ COMMITTED what waits again is scheduled, and placed by the next tick. Returns a row for each, in order, with the attempts that were given and a kind: settled, with the new status; already, with the status: this very settlement was accepted before, and the answer got lost (complete, fail and cancel only); stale: the lease was lost, and nothing was changed.
Errors: JQ004, with the index of the bad item from 0; nothing is written then.';

grant execute on function fairclaim.settle_jobs(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[])
  to fairclaim_worker;
