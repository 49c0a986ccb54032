-- Bounded: it stops one job beyond p_up_to. What a call walks over: matching_jobs.
create or replace function fairclaim.count_jobs(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_type text default null,
  p_status text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null,
  p_up_to int default 10000,
  p_before_id uuid default null
) returns table (jobs int, more boolean)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
begin
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  perform check_filter(p_status, p_older_than, p_newer_than, p_error);
  return query
  select least(count(*), p_up_to)::int, count(*) > p_up_to
    from matching_jobs(p_tenant_id, p_queue, p_type, p_status, p_before_id,
           make_interval(secs => p_older_than), make_interval(secs => p_newer_than), p_error,
           p_up_to + 1);
end
$$;

comment on function fairclaim.count_jobs(uuid, text, text, text, float8, float8, text, int, uuid) is
'How many jobs a filter of list_jobs finds, counted up to p_up_to (1 to 100,000); more: there are others beyond that. p_before_id: as in list_jobs. For operators, to look before a cancel or a retry of many. Errors: JQ004, JQ007.';

grant execute on function fairclaim.count_jobs(uuid, text, text, text, float8, float8, text,
    int, uuid)
  to fairclaim_operator, fairclaim_auditor;
