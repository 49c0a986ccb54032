-- What there is of one tenant, each kind up to a bound. Jobs are counted by their key, errors and
-- ends by the jobs. `offset 0` keeps the look at a row from becoming a join of whole tables.
create or replace function fairclaim.count_tenant(p_tenant_id uuid, p_up_to int default 10000)
returns table (
  jobs int, waiting int, scheduled int, running int, ended int, errors int, settings int,
  more boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  perform check_tenant(p_tenant_id);
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  select least(count(*), p_up_to), count(place.scheduled), count(place.running),
         count(place.finished), coalesce(sum(place.errors), 0), count(*) > p_up_to
    into jobs, scheduled, running, ended, errors, more
    from (select job.id from job
           where job.tenant_id = p_tenant_id order by job.id limit p_up_to + 1) known
   cross join lateral (
     select (select 1 from scheduled where scheduled.id = known.id) as scheduled,
            (select 1 from running where running.id = known.id) as running,
            (select 1 from finished
              where finished.id = known.id and finished.tenant_id = p_tenant_id) as finished,
            (select count(*) from attempt_error past
              where past.id = known.id and past.tenant_id = p_tenant_id) as errors
     offset 0) place;
  waiting := (select count(*) from (select from ready
                                     where ready.tenant_id = p_tenant_id limit p_up_to) counted);
  settings := (select count(*) from bound where bound.tenant_id = p_tenant_id)
    + (select count(*) from waiting_limit drain
        where drain.tenant_id = p_tenant_id and drain.subject = 'drain');
  return next;
end
$$;

comment on function fairclaim.count_tenant(uuid, int) is
'What there is of one tenant, for operators, to look before a purge or an export. Counted over its oldest jobs, up to p_up_to of them (1 to 100,000); more: there are others. waiting: in lanes. settings: limits and other settings of its own.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.count_tenant(uuid, int)
  to fairclaim_operator, fairclaim_auditor;
