-- What report_work refuses before it writes anything. The worker's id, its queues and its types are
-- checked as those of a claim are.
create or replace function fairclaim_internal.check_report(
  p_host text,
  p_version text,
  p_queues text[],
  p_slots int[],
  p_silent_for float8,
  p_tenants uuid[],
  p_tenant_queues text[],
  p_jobs int[],
  p_seconds float8[]
) returns void
language plpgsql
as $$
declare
  v_count int := coalesce(cardinality(p_tenants), 0);
  v_place int;                                -- of the first bad item, from 1
begin
  if p_queues is null then
    perform refuse('JQ004', 'p_queues', 'must be a list of 1 to 1,000 names without nulls',
      'name the queues that the worker serves', '{"limit": 1000}');
  elsif p_slots is null or cardinality(p_slots) <> cardinality(p_queues)
     or array_ndims(p_slots) > 1 or not 0 <= all (p_slots) or not 100000 >= all (p_slots)
     or array_position(p_slots, null) is not null then
    perform refuse('JQ004', 'p_slots', 'must have a number from 0 to 100,000 for each queue',
      'say for each of p_queues how many of its jobs run at once',
      '{"minimum": 0, "maximum": 100000}');
  elsif p_host is null or length(p_host) not between 1 and 255
     or p_host ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_host', 'must have 1 to 255 printable characters',
      'give the name of the machine', '{"limit": 255}');
  elsif p_version is null or length(p_version) not between 1 and 64
     or p_version ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_version', 'must have 1 to 64 printable characters',
      'give the version of the program', '{"limit": 64}');
  elsif p_silent_for is null or not (p_silent_for >= 0 and p_silent_for <= 86400) then
    perform refuse('JQ004', 'p_silent_for', 'must be seconds from 0 to 86,400 (24 h)',
      'say for how long there may be no further report, or 0 when the worker ends',
      '{"minimum": 0, "maximum": 86400}');
  elsif v_count > 1000 or array_ndims(p_tenants) > 1
     or array_position(p_tenants, null) is not null then
    perform refuse('JQ004', 'p_tenants', 'must be null or a list of at most 1,000 tenants',
      'report the tenants that took the most time', '{"limit": 1000}');
  elsif coalesce(cardinality(p_tenant_queues), 0) <> v_count
     or coalesce(cardinality(p_jobs), 0) <> v_count
     or coalesce(cardinality(p_seconds), 0) <> v_count then
    perform refuse('JQ004',
      case when coalesce(cardinality(p_tenant_queues), 0) <> v_count then 'p_tenant_queues'
           when coalesce(cardinality(p_jobs), 0) <> v_count then 'p_jobs' else 'p_seconds' end,
      'must have as many items as p_tenants', 'give one item for each tenant');
  end if;
  if v_count > 0 then
    select item.place into v_place
      from unnest(p_jobs, p_seconds) with ordinality item(jobs, seconds, place)
     where not coalesce(item.jobs between 0 and 1000000
                        and item.seconds >= 0 and item.seconds <= 1e9, false) limit 1;
    if found then
      perform refuse('JQ004', format('p_seconds[%s]', v_place - 1),
        'must be from 0 to 1,000,000,000, of 0 to 1,000,000 jobs',
        'give what the handlers took since the last report',
        '{"minimum": 0, "maximum": 1000000000}');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.check_report(text, text, text[], int[], float8, uuid[],
    text[], int[], float8[]) is
'Refuses a bad report of a worker (JQ004).';
