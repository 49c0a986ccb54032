-- The limits and rates that bound a tenant in a queue: its own, or the defaults where it has none,
-- over all queues and in this one; and those of the queue. kind: tenant, default, tenant_queue,
-- default_queue, queue. For the nil uuid, those of the queue alone. A limit that is not active yet
-- gives no room. due_in: in how many seconds a rate leaves room for a job; 0 where it does now.
create or replace function fairclaim_internal.limits_in_force(
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz
) returns table (
  kind text, max_running int, running int, active boolean,
  units int, period float8, burst int, due_in float8
)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  v_nobody uuid := '00000000-0000-0000-0000-000000000000';
  v_group int := lane_group(p_queue);
begin
  return query
  with bound as materialized (
    select found.*,
           case when found.subject = 'queue' then 'queue'
                else found.subject || case when found.queue = '' then '' else '_queue' end end
             as kind
      from running_limit found
     where found.tenant_id = any (array[p_tenant_id, v_nobody])
       and found.queue = any (array['', p_queue])
       and (found.subject = 'queue'
            or p_tenant_id <> v_nobody
               and (found.subject = 'default' or found.tenant_id = p_tenant_id))),
  counted as (
    select distinct on (bound.subject = 'queue', bound.queue) bound.kind, bound.max_running,
           bound.queue, bound.active or bound.subject <> 'tenant' as active
      from bound where bound.max_running is not null
     order by bound.subject = 'queue', bound.queue, bound.subject desc),
  paced as (
    select distinct on (bound.subject = 'queue', bound.queue) bound.*
      from bound where bound.units is not null
     order by bound.subject = 'queue', bound.queue, bound.subject desc)
  select counted.kind, counted.max_running,
         case counted.kind
           when 'queue' then (
             select count(*)::int from running held where held.queue_group = v_group)
           else (
             select count(*)::int from running held
              where held.limited and held.tenant_id = p_tenant_id
                and (counted.queue = '' or held.queue_group = v_group)) end,
         counted.active, null::int, null::float8, null::int, null::float8
    from counted
  union all
  select paced.kind, null, null, true, paced.units, paced.period, paced.burst,
         greatest(extract(epoch from used.paid_until - p_now)::float8
                  - (paced.burst - 1) * paced.period / paced.units, 0)
    from paced
    left join lateral (
      select rate_use.paid_until from rate_use
       where rate_use.tenant_id = case when paced.kind = 'queue' then v_nobody
                                       else p_tenant_id end
         and rate_use.queue_group = case when paced.queue = '' then 0 else v_group end
       order by rate_use.tenant_id desc, rate_use.queue_group desc, rate_use.use_id desc
       limit 1) used on true;
end
$$;

comment on function fairclaim_internal.limits_in_force(uuid, text, timestamptz) is
'The limits of running jobs and the rates that bound a tenant in a queue, with how many run under each, and when a rate leaves room again.';
