-- Puts one job in. It locks no existing row and waits for nothing: it inserts into `job`, then one
-- row into `scheduled`, into `held` if it has a key, or into `ready`. Outside READ COMMITTED the
-- job is due at once, and the next tick places it: a snapshot that is older than the lock on
-- `ready` must not choose a lane (I3).
--
-- Every expression is set up again in every transaction, which costs more than its evaluation. So
-- there are few, and those that read a tenant's name, a time or a timeout stand in branches that
-- the usual call passes by.
create or replace function fairclaim.dispatch_job(
  p_tenant_id uuid default null,
  p_type text default null,
  p_payload jsonb default '{}',
  p_queue text default 'default',
  p_priority int default 0,
  p_run_at timestamptz default null,
  p_max_attempts int default 25,
  p_timeout float8 default null,
  p_tags text[] default '{}',
  p_metadata jsonb default '{}',
  p_tenant text default null,
  p_delay float8 default null,
  p_key text default null,
  p_keep_order boolean default false
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_bytes int := octet_length(p_payload::text);
  v_most int;                                 -- null where the payload is surely small enough
  v_timeout interval;
  v_fault text;
  v_id uuid;
begin
  if p_tenant_id is null or p_tenant is not null or v_bytes > 1024 then
    if v_bytes > 1024 then                    -- the setting is never less
      v_most := (select setting.max_payload from setting);
    end if;
    if p_tenant_id is null then
      p_tenant_id := named_tenant(p_tenant);
    elsif p_tenant is not null then
      v_fault := 'p_tenant: excludes p_tenant_id';
    end if;
  end if;
  if p_run_at is not null or p_delay is not null or p_timeout is not null then
    v_fault := coalesce(v_fault, case
      when p_run_at not between v_now - interval '1 day' and v_now + interval '5 years'
        then 'p_run_at: must be finite, at most 1 day ago and at most 5 years ahead' end);
    if p_delay is not null or p_timeout is not null then
      v_fault := coalesce(v_fault, case
        when p_run_at is not null and p_delay is not null then 'p_delay: excludes p_run_at'
        when p_delay not between 0 and 157766400 then 'p_delay: must be from 0 to 5 years'
        when p_timeout not between 0.001 and 86400
          then 'p_timeout: must be from 1 ms to 24 h' end);
      if v_fault is null then
        p_run_at := coalesce(p_run_at, v_now + make_interval(secs => p_delay));
        v_timeout := make_interval(secs => p_timeout);
      end if;
    end if;
    if p_run_at <= v_now then
      p_run_at := null;                       -- a time that has passed means at once
    end if;
  end if;
  if p_key is not null or p_keep_order then
    v_fault := coalesce(v_fault, case
      when p_key is null then 'p_keep_order: needs a key'
      when octet_length(p_key) not between 1 and 255 then 'p_key: must be 1 to 255 bytes' end);
  end if;
  v_fault := case
    when v_fault is not null then v_fault
    when not is_name(p_type, true)
      then 'p_type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters'
    when not is_name(p_queue)
      then 'p_queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters'
    when p_priority is null or p_priority not between -100 and 100
      then 'p_priority: must be from -100 to 100'
    when p_max_attempts is null or p_max_attempts not between 1 and 100
      then 'p_max_attempts: must be from 1 to 100'
    when v_bytes is null then 'p_payload: must not be null'
    when v_bytes > v_most or v_bytes > 257 and too_deep(p_payload)
      then 'p_payload: ' || json_fault(p_payload, coalesce(v_most, v_bytes))
    when p_tags is null or p_metadata is null or cardinality(p_tags) > 0 or p_metadata <> '{}'
      then extras_fault(p_tags, p_metadata) end;
  if v_fault is not null then
    perform refuse_job(v_fault);
  end if;

  -- one condition for an installation without quotas; nothing is written before they are checked
  if (select exists (select from waiting_limit))
     and exists (select from waiting_limit
                  where waiting_limit.tenant_id = any (
                    array[p_tenant_id, '00000000-0000-0000-0000-000000000000'::uuid])) then
    perform check_quotas(array[p_tenant_id], array[p_queue], array[1]);
  end if;

  v_id := (id_prefix(v_now) || substr(gen_random_uuid()::text, 20))::uuid;
  insert into job (id, tenant_id, queue, type, priority, max_attempts,
                   timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
  values (v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts,
          v_timeout, p_run_at, v_now, p_payload, p_tags, p_metadata, p_key,
          case when p_keep_order then true end);
  if p_run_at is not null or current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    values (coalesce(p_run_at, v_now), v_id, p_tenant_id, 0, p_max_attempts, 0,
            p_key is not null);
    if coalesce(pg_sequence_last_value('look_by'), 0)
       > millis(coalesce(p_run_at, v_now)) + 1000 then
      perform wake_before(v_now, coalesce(p_run_at, v_now) + interval '1 s');
    end if;
  else
    if p_key is null then
      perform into_lane(v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts);
    else
      perform hold_jobs(array[p_tenant_id], array[v_id], array[0], array[p_max_attempts::smallint],
        array[0::smallint]);
    end if;
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  return v_id;
end
$$;

comment on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int,
    float8, text[], jsonb, text, float8, text, boolean) is
'Puts one job in, in the caller''s transaction, and returns its id (uuid v7). Outside READ COMMITTED the next tick after its commit makes it claimable. Arguments are to be named.
p_tenant_id or p_tenant: the owner, by id or by name: 1 to 255 bytes without control characters, which mean the id that tenant_uuid(name) gives, and are shown beside it from then on. Neither: the default tenant of the settings, if there is one. p_type: needed; ^[A-Za-z0-9][A-Za-z0-9_.:-]*$, at most 64. p_payload: any JSON, at most 1 MiB of text, 128 deep.
p_queue: ^[a-z0-9][a-z0-9_.:-]*$, at most 64. p_priority: -100 to 100, higher first, among this tenant''s jobs.
p_run_at or p_delay: not before this time, at most 1 day ago (meaning now), at most 5 years ahead; or not before so many seconds from now, 0 to 157766400 (5 years). p_max_attempts: 1 to 100.
p_timeout: of one attempt, in seconds, 0.001 to 86400. p_tags: at most 20 of 1 to 64 characters. p_metadata: an object, at most 16 KiB.
p_key: 1 to 255 bytes, such as an account of the tenant''s. Of the jobs of one key at most one runs at a time, in the order of their dispatch, or as many as set_key_limit says; priorities do not count among them. It waits, pending, until it may run. p_keep_order: while it waits for a retry or is snoozed, no other job of its key runs; without, the next one goes, and it goes before others when it is due. Such a job runs alone, whatever the limit of its key.
Errors: JQ002 without a tenant, JQ004 with the field''s name and its limit. Nothing is written then.';

grant execute on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int,
    float8, text[], jsonb, text, float8, text, boolean)
  to fairclaim_producer;
