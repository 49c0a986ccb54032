-- One pass over the items, whatever it finds. It tells whether there are names of tenants to look
-- up and times to read, so that a batch without them pays for nothing more.
create or replace function fairclaim_internal.check_batch(p_jobs jsonb, out named boolean, out timed boolean)
language plpgsql
as $$
declare
  c_names text[] := array['tenant_id', 'tenant', 'type', 'payload', 'queue', 'priority', 'run_at',
                          'delay', 'max_attempts', 'timeout', 'tags', 'metadata'];
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
  select min(job.place) filter (where case when jsonb_typeof(job.item) = 'object'
                                           then job.item - c_names <> '{}' else true end),
         bool_or(job.item ->> 'tenant_id' is null), bool_or(job.item ? 'run_at')
    into v_bad, named, timed
    from jsonb_array_elements(p_jobs) with ordinality job(item, place);
  if v_bad is not null then
    v_no_object := jsonb_typeof(p_jobs -> v_bad - 1) <> 'object';
    perform refuse('JQ004', format('p_jobs[%s]', v_bad - 1),
      case when v_no_object then 'must be an object' else 'has an unknown name' end,
      case when v_no_object then 'put the jobs into a JSON array, one object each'
           else 'the names are ' || array_to_string(c_names, ', ') end,
      case when v_no_object then '{}' else jsonb_build_object('allowed', c_names) end);
  end if;
end
$$;

comment on function fairclaim_internal.check_batch(jsonb) is
'Refuses a batch that is no array of 1 to 10,000 objects with known names. named: some of them have no tenant_id. timed: some have a run_at.';
