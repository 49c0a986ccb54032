create or replace function fairclaim_internal.check_batch(p_jobs jsonb) returns void
language plpgsql
as $$
declare
  c_names text[] := array['tenant_id', 'type', 'payload', 'queue', 'priority', 'run_at', 'max_attempts', 'timeout', 'tags', 'metadata'];
  v_bad record;
begin
  if jsonb_typeof(p_jobs) is distinct from 'array' then
    perform refuse('JQ004', 'p_jobs', 'must be an array of objects',
      'put the jobs into a JSON array, one object each');
  elsif jsonb_array_length(p_jobs) not between 1 and 10000 then
    perform refuse('JQ004', 'p_jobs', 'must have 1 to 10,000 items', 'send smaller batches, and no call for none', '{"limit": 10000}');
  end if;
  select x.o, jsonb_typeof(x.v) <> 'object' as no_object into v_bad
    from jsonb_array_elements(p_jobs) with ordinality x(v, o)
   where case when jsonb_typeof(x.v) = 'object' then x.v - c_names <> '{}' else true end
   limit 1;
  if found then
    perform refuse('JQ004', format('p_jobs[%s]', v_bad.o - 1),
      case when v_bad.no_object then 'must be an object' else 'has an unknown name' end,
      case when v_bad.no_object then 'put the jobs into a JSON array, one object each' else 'the names are ' || array_to_string(c_names, ', ') end,
      case when v_bad.no_object then '{}' else jsonb_build_object('allowed', c_names) end);
  end if;
end
$$;

comment on function fairclaim_internal.check_batch(jsonb) is 'Refuses a batch that is no array of 1 to 10,000 objects with known names.';
