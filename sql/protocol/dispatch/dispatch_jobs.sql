-- Set-based: parse and check, insert the wide rows and the delayed ones, then all lanes in one statement. All or nothing. A batch has
-- at most 64 MiB, so it stays in memory (work_mem) and meets no temp_file_limit. Outside READ COMMITTED all jobs go to `scheduled`,
-- due at once (see dispatch_job).
create or replace function fairclaim.dispatch_jobs(p_jobs jsonb) returns table (ordinal int, id uuid, created boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_nestloop = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set work_mem = '128MB'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_prefix text := id_prefix(v_now);
  v_tail text := right(gen_random_uuid()::text, 12);
  v_max int := (select s.max_payload from setting s);
  v_due timestamptz := case when current_setting('transaction_isolation') <> 'read committed' then v_now end;
  v_found record;
  v_tenants jsonb;                            -- ids by names
  v_bytes bigint;
  v_bad int;
  v_fault text;
  v_all uuid[];
  v_rows ready[];                   -- see into_lanes()
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_later timestamptz;                        -- when the first of those in `scheduled` is due
begin
  v_found := check_batch(p_jobs);
  if v_found.named then
    v_tenants := named_tenants(p_jobs);
  end if;
  if v_found.timed then
    perform check_times(p_jobs);
  end if;
  with item as materialized (    -- what no smallint holds is brought just outside the limits, and refused with the others
    select (v_prefix || to_hex(32768 + x.ord) || v_tail)::uuid i, x.ord::int o, x.tenant_id is not null and x.tenant is not null twice, x.tenant,
           coalesce(x.tenant_id, (v_tenants ->> case when x.tenant is null then '' when x.tenant <> '' then x.tenant end)::uuid) t,
           coalesce(x.queue, 'default') collate "C" q, x.type collate "C" k, greatest(-101, least(101, coalesce(x.priority, 0))) p,
           coalesce(x.payload, '{}') b, octet_length(coalesce(x.payload, '{}')::text) n,
           greatest(0, least(101, coalesce(x.max_attempts, 25))) ma, x.timeout, x.run_at, x.delay,
           case when jsonb_typeof(x.timeout) = 'number' and x.timeout::numeric between 0.001 and 86400
                then make_interval(secs => x.timeout::float8) end to_,
           case when x.run_at is not null then x.run_at::timestamptz
                when jsonb_typeof(x.delay) = 'number' and x.delay::numeric between 0 and 157766400
                then v_now + make_interval(secs => x.delay::float8) end at,
           coalesce(x.tags, '{}') tg, coalesce(x.metadata, '{}') me, x.tags <> '{}' or x.metadata <> '{}' extras
      from rows from (jsonb_to_recordset(p_jobs) as (tenant_id uuid, type text, payload jsonb, queue text, priority int,
             run_at text, max_attempts int, timeout jsonb, tags text[], metadata jsonb, tenant text, delay jsonb))
           with ordinality x(tenant_id, type, payload, queue, priority, run_at, max_attempts, timeout, tags, metadata, tenant, delay, ord)),
  kind as materialized (           -- names are checked once per distinct kind; into_lanes() knows them by number
    select d.*, row_number() over () n, not (is_name(d.q) and is_name(d.k, true)) bad
      from (select distinct item.q, item.k, item.p from item offset 0) d),
  fault as (
    select item.o, case
        when item.twice then 'tenant: excludes tenant_id'
        when item.t is null and item.tenant is not null then 'tenant: must be 1 to 255 bytes without control characters'
        when item.t is null then 'tenant_id: is missing'
        when item.k is null or not is_name(item.k, true) then 'type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters'
        when not is_name(item.q) then 'queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters'
        when item.p not between -100 and 100 then 'priority: must be from -100 to 100'
        when item.ma not between 1 and 100 then 'max_attempts: must be from 1 to 100'
        when jsonb_typeof(item.timeout) <> 'number' then 'timeout: must be a number of seconds'
        when item.timeout is not null and item.to_ is null then 'timeout: must be from 1 ms to 24 h'
        when item.run_at is not null and item.delay is not null then 'delay: excludes run_at'
        when jsonb_typeof(item.delay) <> 'number' then 'delay: must be a number of seconds'
        when item.delay is not null and item.at is null then 'delay: must be from 0 to 5 years'
        when item.run_at is not null and (item.at < v_now - interval '1 day' or item.at > v_now + interval '5 years')
          then 'run_at: must be finite, at most 1 day ago and at most 5 years ahead'
        when item.n > v_max or item.n > 257 and too_deep(item.b) then 'payload: ' || json_fault(item.b, v_max)
        when item.extras then replace(extras_fault(item.tg, item.me), 'p_', '') end f
      from item
     where item.twice or item.t is null or item.k is null or item.p not between -100 and 100 or item.ma not between 1 and 100
        or item.timeout is not null or item.run_at is not null or item.delay is not null or item.n > 257 or item.extras
        or (select bool_or(kind.bad) from kind)),
  bad as materialized (
    select fault.o, fault.f from fault where fault.f is not null order by fault.o limit 1),
  wide as (
    insert into job
    select item.i, item.t, item.q, item.k, item.p, item.ma, item.to_, case when item.at > v_now then item.at end,
           v_now, item.b, item.tg, item.me from item
     where not exists (select from bad)),
  later as (
    insert into scheduled
    select case when item.at > v_now then item.at else v_due end, item.i, item.t, 0, item.ma, 0 from item
     where (item.at > v_now or v_due is not null) and not exists (select from bad))
  select (select bad.o from bad), (select bad.f from bad), sum(x.z), array_agg(x.i),
         (select array_agg(kind.q order by kind.n) from kind), (select array_agg(kind.k order by kind.n) from kind),
         (select array_agg(kind.p::smallint order by kind.n) from kind),
         array_agg(row (x.n, x.o, x.i, x.t, 0, x.ma, 0)::ready) filter (where x.due is null), min(x.due)
    into v_bad, v_fault, v_bytes, v_all, v_queues, v_types, v_priorities, v_rows, v_later
    from (select kind.n, item.o, item.i, item.t, item.ma,
                 case when item.at > v_now then item.at else v_due end due, 100 + item.n
                 + case when item.extras then octet_length(item.me::text) + octet_length(item.tg::text) else 0 end z
            from item left join kind on kind.q = item.q and kind.k = item.k and kind.p = item.p order by item.o) x;
  if v_bad is not null then
    perform refuse_job(v_fault, v_bad - 1);
  elsif v_bytes > 67108864 then
    perform refuse('JQ004', 'p_jobs', 'must be at most 64 MiB of JSON text', 'send smaller batches', '{"limit": 67108864}');
  end if;
  if v_rows is not null then
    if cardinality(v_rows) = 1 then
      perform into_lane(v_rows[1].id, v_rows[1].tenant_id, v_queues[v_rows[1].lane_id], v_types[v_rows[1].lane_id],
        v_priorities[v_rows[1].lane_id], v_rows[1].attempts_left);
    else
      perform into_lanes(v_rows, v_queues, v_types, v_priorities,
        id_at(coalesce(pg_sequence_last_value('shared_since'), 0)), true);
    end if;
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_later) + 1000 then
    perform wake_before(v_now, v_later + interval '1 s');
  end if;
  return query select x.o::int, x.i, true from unnest(v_all) with ordinality x(i, o);
end
$$;

comment on function fairclaim.dispatch_jobs(jsonb) is
'Puts 1 to 10,000 jobs in, all or nothing. p_jobs: an array of objects with the names of dispatch_job''s arguments less "p_"; type is needed, and tenant_id or tenant unless the settings have a default tenant; unknown names are refused, null means the default. timeout and delay are numbers of seconds. run_at is a text in ISO 8601 with its offset (Z or +hh:mm): the answer never depends on the settings of the session. At most 64 MiB of text. Returns one row a job, in order (ordinal from 1).
Errors: JQ002, JQ004 with the index of the bad item (from 0), the field and its limit.';

grant execute on function fairclaim.dispatch_jobs(jsonb) to fairclaim_producer;
