-- One job. Locks no existing row and waits for nobody: it inserts `job`, then one row of `scheduled` or of `ready`. Outside READ
-- COMMITTED it is due at once and placed by the next tick: a snapshot that is older than the lock on `ready` must not choose a lane
-- (I3). Few statements and expressions: each is set up anew in every transaction.
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
  p_delay float8 default null
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
  v_random text := gen_random_uuid()::text;
  v_bytes int := octet_length(p_payload::text);
  v_later timestamptz := case when p_run_at > v_now then p_run_at
                              when p_delay > 0 and p_delay <= 157766400 then v_now + make_interval(secs => p_delay) end;
  v_due timestamptz := coalesce(v_later, v_now);
  v_max int := 1024;                          -- the setting is never less
  v_fault text;
  v_id uuid;
begin
  if v_bytes > v_max or p_tenant_id is null then       -- seldom, and one expression for both
    v_max := (select s.max_payload from setting s);
    if p_tenant_id is null then
      p_tenant_id := named_tenant(p_tenant);
      p_tenant := null;
    end if;
  end if;
  v_fault := case
    when p_tenant is not null then 'p_tenant: excludes p_tenant_id'
    when not is_name(p_type, true) then 'p_type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters'
    when not is_name(p_queue) then 'p_queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters'
    when p_priority is null or p_priority not between -100 and 100 then 'p_priority: must be from -100 to 100'
    when p_max_attempts is null or p_max_attempts not between 1 and 100 then 'p_max_attempts: must be from 1 to 100'
    when p_run_at < v_now - interval '1 day' or p_run_at > v_now + interval '5 years' or not isfinite(p_run_at)
      then 'p_run_at: must be finite, at most 1 day ago and at most 5 years ahead'
    when p_delay is not null and p_run_at is not null then 'p_delay: excludes p_run_at'
    when p_delay not between 0 and 157766400 then 'p_delay: must be from 0 to 5 years'
    when p_timeout not between 0.001 and 86400 then 'p_timeout: must be from 1 ms to 24 h'
    when p_payload is null then 'p_payload: must not be null'
    when v_bytes > v_max or v_bytes > 257 and too_deep(p_payload) then 'p_payload: ' || json_fault(p_payload, v_max)
    when p_tags is null or p_metadata is null or cardinality(p_tags) > 0 or p_metadata <> '{}' then extras_fault(p_tags, p_metadata)
  end;
  if v_fault is not null then
    perform refuse_job(v_fault);
  end if;

  v_id := (id_prefix(v_now) || '8' || substr(v_random, 16, 3) || right(v_random, 12))::uuid;
  insert into job values (v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts,
    make_interval(secs => p_timeout), v_later, v_now, p_payload, p_tags, p_metadata);
  if v_later is not null or current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled values (v_due, v_id, p_tenant_id, 0, p_max_attempts, 0);
    if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_due) + 1000 then
      perform wake_before(v_now, v_due + interval '1 s');
    end if;
  else
    perform into_lane(v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts);
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  return v_id;
end
$$;

comment on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int, float8, text[], jsonb, text, float8) is
'Puts one job in, in the caller''s transaction, and returns its id (uuid v7). Outside READ COMMITTED the next tick after its commit makes it claimable. Arguments are to be named.
p_tenant_id or p_tenant: the owner, by id or by name: 1 to 255 bytes without control characters, which mean the id that tenant_uuid(name) gives, and are shown beside it from then on. Neither: the default tenant of the settings, if there is one. p_type: needed; ^[A-Za-z0-9][A-Za-z0-9_.:-]*$, at most 64. p_payload: any JSON, at most 1 MiB of text, 128 deep.
p_queue: ^[a-z0-9][a-z0-9_.:-]*$, at most 64. p_priority: -100 to 100, higher first, among this tenant''s jobs.
p_run_at or p_delay: not before this time, at most 1 day ago (meaning now), at most 5 years ahead; or not before so many seconds from now, 0 to 157766400 (5 years). p_max_attempts: 1 to 100.
p_timeout: of one attempt, in seconds, 0.001 to 86400. p_tags: at most 20 of 1 to 64 characters. p_metadata: an object, at most 16 KiB.
Errors: JQ002 without a tenant, JQ004 with the field''s name and its limit. Nothing is written then.';

grant execute on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int, float8, text[], jsonb, text, float8)
  to fairclaim_producer;
