-- Each count is bounded by its quota and a little more, as for a dispatch.
create or replace function fairclaim.show_quotas(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_limit int default 100
) returns table (
  tenant_id uuid, tenant text, queue text, subject text, max_waiting int, refuses boolean,
  waiting int, at_least boolean, drained_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'name a tenant or a queue', '{"minimum": 1, "maximum": 1000}');
  end if;
  return query
  with bound as materialized (
    select known.*, row_number() over () as place,
           case when known.subject = 'tenant' then known.tenant_id else p_tenant_id end as counted,
           known.max_waiting + known.max_waiting / 16 + 1000 as most
      from (select * from waiting_limit listed
             where (p_tenant_id is null or listed.tenant_id in (p_tenant_id, v_none))
               and (p_queue is null or listed.queue in ('', p_queue collate "C"))
             order by listed.tenant_id, listed.queue, listed.subject limit p_limit) known)
  select nullif(bound.tenant_id, v_none), tenant_label(bound.tenant_id), nullif(bound.queue, ''),
         bound.subject, case when bound.subject <> 'drain' then bound.max_waiting end,
         bound.refuses, waits.jobs, coalesce(waits.jobs >= bound.most, false), bound.drained_at
    from bound
    left join waiting_jobs(
           (select array_agg(bound.counted order by bound.place) from bound),
           (select array_agg(bound.queue order by bound.place) from bound),
           (select array_agg(bound.most order by bound.place) from bound)) waits
           on waits.place = bound.place and bound.counted is not null
   order by bound.place;
end
$$;

comment on function fairclaim.show_quotas(uuid, text, int) is
'The quotas on waiting jobs that are in force and what is being drained, for operators: subject tenant (its own), default (of every tenant without its own) or drain. queue null: over all queues; tenant_id null: of every tenant. waiting: how many jobs the tenant has, counted to a little more than the quota (at_least: there may be more); of a default only where p_tenant_id is given. refuses false: what is above the quota is let in, and shown here. p_limit 1 to 1,000.
Errors: JQ004.';

grant execute on function fairclaim.show_quotas(uuid, text, int)
  to fairclaim_operator;
