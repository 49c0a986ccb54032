-- Called only where a quota or a drain is set, before anything is written. It locks nothing, so
-- that no dispatch waits for another: transactions that are open at the same time do not see each
-- other's jobs. So a tenant can come to have as many jobs above its quota as the others dispatch
-- that are open at the same moment, and no more: n - 1 by single dispatches of n sessions. With a
-- quota above 1,000, those that were open when tick counted are open until tick counts again.
--
-- dispatch_jobs pins hash joins, which these looks by index must not have.
create or replace function fairclaim_internal.check_quotas(
  p_tenants uuid[],
  p_queues text[],
  p_jobs int[],
  p_items int[] default null
) returns void
language plpgsql
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_fault record;
begin
  select given.item, drain.queue <> '' as is_queue into v_fault
    from unnest(p_tenants, p_queues, p_items) given(tenant_id, queue, item)
   cross join lateral (
     select bound.queue from waiting_limit bound
      where bound.subject = 'drain'
        and (bound.tenant_id = given.tenant_id and bound.queue = ''
             or bound.tenant_id = v_none and bound.queue = given.queue collate "C")
      limit 1) drain
   order by given.item limit 1;
  if found then
    perform refuse('JQ003',
      coalesce('p_jobs[' || v_fault.item || '].', '')
        || case when v_fault.is_queue then 'queue' else 'tenant' end,
      'is being drained and takes no new jobs',
      'dispatch elsewhere, or later; an operator ends it: '
        || case when v_fault.is_queue then '`fairclaim queues undrain`'
                else '`fairclaim tenants undrain`' end,
      '{"limit": 0, "quota": "drain"}');
  end if;

  with bound as materialized (
    select quota.subject, given.tenant_id, quota.queue, quota.max_waiting,
           sum(given.jobs)::int as jobs, min(given.item) as item
      from unnest(p_tenants, p_queues, p_jobs, p_items) given(tenant_id, queue, jobs, item)
     cross join lateral quotas_of(given.tenant_id, given.queue) quota
     where quota.refuses
     group by quota.subject, given.tenant_id, quota.queue, quota.max_waiting),
  listed as materialized (
    select bound.*, row_number() over () as place from bound)
  select listed.item, listed.subject, listed.queue <> '' as in_queue, listed.max_waiting
    into v_fault
    from listed
    left join waiting_jobs(
           (select array_agg(listed.tenant_id order by listed.place) from listed),
           (select array_agg(listed.queue order by listed.place) from listed),
           (select array_agg(greatest(1, listed.max_waiting - listed.jobs + 1)
                             order by listed.place) from listed)) waits
           on waits.place = listed.place
   where listed.jobs > listed.max_waiting or waits.jobs + listed.jobs > listed.max_waiting
   order by listed.item, listed.queue limit 1;
  if found then
    perform refuse('JQ003', coalesce('p_jobs[' || v_fault.item || '].', '') || 'tenant',
      format('may have %s waiting%s (%s)', counted(v_fault.max_waiting, 'job'),
             case when v_fault.in_queue then ' in this queue' else '' end,
             case v_fault.subject when 'tenant' then 'its own quota' else 'the default quota' end),
      'dispatch later, when jobs of this tenant have been claimed, or send fewer at once; operators'
        || ' see it by `fairclaim tenants quotas` and may raise it',
      jsonb_build_object('limit', v_fault.max_waiting, 'quota',
        v_fault.subject || case when v_fault.in_queue then '_in_queue' else '' end));
  end if;
end
$$;

comment on function fairclaim_internal.check_quotas(uuid[], text[], int[], int[]) is
'Refuses a dispatch (JQ003) after which a tenant has more jobs waiting than its quota, or one for a tenant or a queue that is being drained. p_items: where in the batch the first job of each is. Transactions that are open at the same time do not count each other''s jobs: by so many a quota can be passed.';
