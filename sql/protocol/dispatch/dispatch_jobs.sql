-- Puts many jobs in, all or nothing, by sets: it reads and checks them, inserts the wide rows and
-- those that are due later, and then places all others in one statement. A batch has at most 64
-- MiB, so it stays in memory (work_mem) and meets no temp_file_limit. Outside READ COMMITTED all
-- jobs go to `scheduled`, due at once (see dispatch_job).
--
-- The plan is pinned to hash joins: the planner does not know how many items an array has, and
-- nested loops and merges of ten thousand items by text cost many times as much.
create or replace function fairclaim.dispatch_jobs(p_jobs jsonb)
returns table (ordinal int, id uuid, created boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_nestloop = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set work_mem = '128MB'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_prefix text := id_prefix(v_now);
  v_tail text := right(gen_random_uuid()::text, 12);
  v_most int := (select setting.max_payload from setting);
  v_due timestamptz := case when current_setting('transaction_isolation') <> 'read committed'
                            then v_now end;
  v_seldom int;
  v_tenants jsonb;                            -- ids by names
  v_times timestamptz[];                      -- the run_at of each item, by its place
  v_bytes bigint;
  v_bad int;
  v_fault text;
  v_all uuid[];
  v_rows ready[];                             -- see into_lanes()
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_later timestamptz;                        -- when the first of those in `scheduled` is due
begin
  v_seldom := check_batch(p_jobs);
  if v_seldom > 0 then
    v_tenants := case when v_seldom & 1 > 0 then named_tenants(p_jobs) end;
    v_times := case when v_seldom & 2 > 0 then read_times(p_jobs) end;
  end if;
  if exists (select from waiting_limit) then
    perform check_batch_quotas(p_jobs, v_tenants);
  end if;

  -- item: a job as it will be stored. What no smallint holds is brought just outside of the limits,
  -- and refused with the others. It has no tenant where it names none or two, no timeout where that
  -- is wrong, and no time where its delay is wrong or stands beside a run_at.
  with item as materialized (
    select (v_prefix || to_hex(32768 + given.place) || v_tail)::uuid as id,
           given.place::int as place,
           case when given.tenant is null or given.tenant_id is null
                then coalesce(given.tenant_id, (v_tenants ->> case
                       when given.tenant is null then '' when given.tenant <> '' then given.tenant
                       end)::uuid) end as tenant_id,
           coalesce(given.queue, 'default') collate "C" as queue,
           given.type collate "C" as type,
           greatest(-101, least(101, coalesce(given.priority, 0))) as priority,
           coalesce(given.payload, '{}') as payload,
           octet_length(coalesce(given.payload, '{}')::text) as bytes,
           greatest(0, least(101, coalesce(given.max_attempts, 25))) as max_attempts,
           seconds_in(given.timeout, 0.001, 86400) as timeout,
           given.timeout is not null as has_timeout,
           case when given.delay is null then v_times[given.place]
                when v_times[given.place] is null
                then v_now + seconds_in(given.delay, 0, 157766400) end as run_at,
           given.delay is not null as has_delay,
           coalesce(given.tags, '{}') as tags,
           coalesce(given.metadata, '{}') as metadata,
           given.tags <> '{}' or given.metadata <> '{}' as has_extras,
           given.key,
           given.keep_order
      from rows from (jsonb_to_recordset(p_jobs) as (
             tenant_id uuid, type text, payload jsonb, queue text, priority int, max_attempts int,
             timeout jsonb, tags text[], metadata jsonb, tenant text, delay jsonb,
             key text, keep_order boolean))
           with ordinality given (
             tenant_id, type, payload, queue, priority, max_attempts,
             timeout, tags, metadata, tenant, delay, key, keep_order, place)),
  -- kind: into_lanes() knows it by its number
  kind as materialized (
    select met.*, row_number() over () as number,
           not (is_name(met.queue) and is_name(met.type, true)) as is_bad
      from (select distinct item.queue, item.type, item.priority from item offset 0) met),
  -- fault: only a name where refuse_item() looks for what is wrong
  fault as (
    select item.place, case
             when item.tenant_id is null then 'tenant'
             when item.type is null then 'type'
             when item.priority not between -100 and 100 then 'priority: must be from -100 to 100'
             when item.max_attempts not between 1 and 100
               then 'max_attempts: must be from 1 to 100'
             when item.has_timeout and item.timeout is null then 'timeout'
             when item.has_delay and item.run_at is null then 'delay'
             when item.run_at not between v_now - interval '1 day' and v_now + interval '5 years'
                  and not item.has_delay
               then 'run_at: must be finite, at most 1 day ago and at most 5 years ahead'
             when item.bytes > v_most or item.bytes > 257 and too_deep(item.payload)
               then 'payload: ' || json_fault(item.payload, v_most)
             when item.key is null and item.keep_order then 'keep_order: needs a key'
             when octet_length(item.key) not between 1 and 255 then 'key: must be 1 to 255 bytes'
             when item.has_extras
               then replace(extras_fault(item.tags, item.metadata), 'p_', '') end as text
      from item
     where item.tenant_id is null or item.type is null or item.priority not between -100 and 100
        or item.max_attempts not between 1 and 100 or item.has_timeout or item.has_delay
        or item.run_at is not null or item.bytes > 257 or item.has_extras
        or item.key is not null or item.keep_order),
  bad as materialized (
    select fault.place, fault.text from fault
     where fault.text is not null order by fault.place limit 1),
  wide as (
    insert into job (id, tenant_id, queue, type, priority, max_attempts,
                     timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
    select item.id, item.tenant_id, item.queue, item.type, item.priority, item.max_attempts,
           item.timeout, case when item.run_at > v_now then item.run_at end, v_now, item.payload,
           item.tags, item.metadata, item.key, case when item.keep_order then true end
      from item
     where not exists (select from bad)),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select case when item.run_at > v_now then item.run_at else v_due end, item.id, item.tenant_id,
           0, item.max_attempts, 0, item.key is not null
      from item
     where (item.run_at > v_now or v_due is not null) and not exists (select from bad))
  select coalesce((select bad.place from bad),
                  case when (select bool_or(kind.is_bad) from kind) then 0 end),
         (select bad.text from bad), sum(sized.bytes), array_agg(sized.id),
         (select array_agg(kind.queue order by kind.number) from kind),
         (select array_agg(kind.type order by kind.number) from kind),
         (select array_agg(kind.priority::smallint order by kind.number) from kind),
         array_agg(row (sized.number, sized.place, sized.id, sized.tenant_id,
                        0, sized.max_attempts, 0, sized.key is not null)::ready)
           filter (where sized.due is null),
         min(sized.due)
    into v_bad, v_fault, v_bytes, v_all, v_queues, v_types, v_priorities, v_rows, v_later
    from (select kind.number, item.place, item.id, item.tenant_id, item.max_attempts,
                 item.key, case when item.run_at > v_now then item.run_at else v_due end as due,
                 100 + item.bytes
                 + case when item.has_extras
                        then octet_length(item.metadata::text) + octet_length(item.tags::text)
                        else 0 end as bytes
            from item
            left join kind on kind.queue = item.queue and kind.type = item.type
                          and kind.priority = item.priority
           order by item.place) sized;
  if v_bad is not null then
    perform refuse_item(p_jobs, v_bad, v_fault);
  elsif v_bytes > 67108864 then
    perform refuse('JQ004', 'p_jobs', 'must be at most 64 MiB of JSON text',
      'send smaller batches', '{"limit": 67108864}');
  end if;
  if v_rows is not null then
    if v_seldom & 4 > 0 then                  -- what has a key waits for it
      v_rows := hold_rows(v_rows);
    end if;
    if v_rows is null then
      null;
    elsif cardinality(v_rows) = 1 then
      perform into_lane(v_rows[1].id, v_rows[1].tenant_id, v_queues[v_rows[1].lane_id],
        v_types[v_rows[1].lane_id], v_priorities[v_rows[1].lane_id], v_rows[1].attempts_left);
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
  return query
  select job.place::int, job.id, true from unnest(v_all) with ordinality job(id, place);
end
$$;

comment on function fairclaim.dispatch_jobs(jsonb) is
'Puts 1 to 10,000 jobs in, all or nothing. p_jobs: an array of objects with the names of dispatch_job''s arguments less "p_"; type is needed, and tenant_id or tenant unless the settings have a default tenant; unknown names are refused, null means the default. timeout and delay are numbers of seconds. run_at is a text in ISO 8601 with its offset (Z or +hh:mm): the answer never depends on the settings of the session. At most 64 MiB of text. Returns one row a job, in order (ordinal from 1).
Errors: JQ002, JQ004 with the index of the bad item (from 0), the field and its limit.';

grant execute on function fairclaim.dispatch_jobs(jsonb) to fairclaim_producer;
