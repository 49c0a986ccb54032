-- One pass over the items, whatever it finds. It tells whether there are tenants to look up and
-- times to read, and keys to wait for, so that a batch without them pays for nothing more. All that
-- it tells is one number, since each aggregate and each column of a result is set up again in every
-- transaction.
create or replace function fairclaim_internal.check_batch(p_jobs jsonb) returns int
language plpgsql
as $$
declare
  c_names text[] := array['tenant_id', 'tenant', 'type', 'payload', 'queue', 'priority', 'run_at',
                          'delay', 'max_attempts', 'timeout', 'tags', 'metadata', 'key',
                          'keep_order'];
  v_found int;
  v_bad int;
  v_no_object boolean;
begin
  if jsonb_typeof(p_jobs) is distinct from 'array' then
    perform refuse('JQ004', 'p_jobs', 'must be an array of objects',
      'put the jobs into a JSON array, one object each');
  elsif jsonb_array_length(p_jobs) not between 1 and 10000 then
    perform refuse('JQ004', 'p_jobs', 'must have 1 to 10,000 items',
      'send smaller batches, and no call for none', '{"limit": 10000}');
  end if;
  select bit_or(case when jsonb_typeof(job.item) <> 'object' or job.item - c_names <> '{}' then 8
                     else case when job.item ->> 'tenant_id' is null then 1 else 0 end
                          + case when job.item ? 'run_at' then 2 else 0 end
                          + case when job.item ? 'key' then 4 else 0 end end)
    into v_found
    from jsonb_array_elements(p_jobs) job(item);
  if v_found >= 8 then
    select job.place - 1, jsonb_typeof(job.item) <> 'object' into v_bad, v_no_object
      from jsonb_array_elements(p_jobs) with ordinality job(item, place)
     where case when jsonb_typeof(job.item) = 'object' then job.item - c_names <> '{}'
                else true end
     order by job.place limit 1;
    perform refuse('JQ004', format('p_jobs[%s]', v_bad),
      case when v_no_object then 'must be an object' else 'has an unknown name' end,
      case when v_no_object then 'put the jobs into a JSON array, one object each'
           else 'the names are ' || array_to_string(c_names, ', ') end,
      case when v_no_object then '{}' else jsonb_build_object('allowed', c_names) end);
  end if;
  return v_found;
end
$$;

comment on function fairclaim_internal.check_batch(jsonb) is
'Refuses a batch that is no array of 1 to 10,000 objects with known names. Returns the sum of 1 where a job has no tenant_id, of 2 where a job has a run_at, and of 4 where one has a key.';
