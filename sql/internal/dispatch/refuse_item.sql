-- Refuses the first job of a batch that has a fault. dispatch_jobs knows the first one apart from
-- faults of names, of which it only knows that there are some: whatever can be found out here costs
-- nothing to the batches without a fault.
create or replace function fairclaim_internal.refuse_item(
  p_jobs jsonb,
  p_place int,
  p_fault text
) returns void
language plpgsql
as $$
declare
  c_type text := 'type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters';
  c_queue text := 'queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters';
  v_named record;
  v_job jsonb := p_jobs -> p_place - 1;
begin
  select job.place::int as place, is_name(job.item ->> 'type', true) as has_type into v_named
    from jsonb_array_elements(p_jobs) with ordinality job(item, place)
   where not (is_name(job.item ->> 'type', true)
              and is_name(coalesce(job.item ->> 'queue', 'default')))
   order by job.place limit 1;
  if v_named.place < p_place or p_place = 0 or v_named.place = p_place and p_fault <> 'tenant' then
    perform refuse_job(case when v_named.has_type then c_queue else c_type end, v_named.place - 1);
  end if;
  perform refuse_job(
    case p_fault
      when 'tenant' then
        case when v_job ->> 'tenant' is null then 'tenant_id: is missing'
             when v_job ->> 'tenant_id' is not null then 'tenant: excludes tenant_id'
             else 'tenant: must be 1 to 255 bytes without control characters' end
      when 'timeout' then
        case when jsonb_typeof(v_job -> 'timeout') = 'number'
             then 'timeout: must be from 1 ms to 24 h'
             else 'timeout: must be a number of seconds' end
      when 'delay' then
        case when v_job ->> 'run_at' is not null then 'delay: excludes run_at'
             when jsonb_typeof(v_job -> 'delay') = 'number' then 'delay: must be from 0 to 5 years'
             else 'delay: must be a number of seconds' end
      else p_fault end,
    p_place - 1);
end
$$;

comment on function fairclaim_internal.refuse_item(jsonb, int, text) is
'Refuses the first job of a batch that has a fault. p_place: that of the first with a fault that is none of names, from 1, or 0 where there is none. p_fault: what is wrong with it, or only which field. Errors: JQ002, JQ004.';
