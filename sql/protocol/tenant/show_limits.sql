-- By index: the settings of one tenant, or of a page of tenants, each place by two looks.
create or replace function fairclaim.show_limits(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_after uuid default null,
  p_limit int default 100
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_nil constant uuid := '00000000-0000-0000-0000-000000000000';
  v_tenants uuid[] := array[p_tenant_id];
begin
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      p_detail => '{"minimum": 1, "maximum": 10000}');
  end if;
  if p_tenant_id is null then
    with recursive hop(tenant_id, place) as (
      (select bound.tenant_id, 1 from bound
        where bound.subject = 'tenant' and (p_after is null or bound.tenant_id > p_after)
        order by bound.tenant_id limit 1)
      union all
      select next.tenant_id, hop.place + 1 from hop
       cross join lateral (
         select bound.tenant_id from bound
          where bound.subject = 'tenant' and bound.tenant_id > hop.tenant_id
          order by bound.tenant_id limit 1) next
       where hop.place < p_limit)
    select array_agg(hop.tenant_id) into v_tenants from hop;
  end if;
  return query
  with own as materialized (
    select distinct listed.subject, known.kind, known.tenant_id, known.queue
      from (select 'tenant' as subject, unnest(v_tenants) as tenant_id
            union all
            select unnest(array['default', 'queue']), v_nil where p_after is null) listed
     cross join lateral (
       select bound.kind, bound.tenant_id, bound.queue from bound
        where bound.tenant_id = listed.tenant_id and bound.subject = listed.subject
          and bound.key is null
          and (p_queue is null or bound.queue in ('', p_queue))
       offset 0) known
     -- of a tenant that is asked for: the defaults where it has nothing of its own, and what all
     -- share in the queue that is asked for
     where p_tenant_id is null or listed.subject = 'tenant'
        or listed.subject = 'queue' and p_queue is not null
        or listed.subject = 'default' and (
             shown_bound(known.kind, 'tenant', p_tenant_id, known.queue, v_now)).in_force is null)
  select shown.*
    from own
   cross join lateral shown_bound(own.kind, own.subject, own.tenant_id, own.queue, v_now) shown
   where shown.set_by is not null
   order by array_position(array['default', 'queue', 'tenant'], shown.subject), shown.tenant_id,
            shown.queue nulls first, shown.kind;
end
$$;

comment on function fairclaim.show_limits(uuid, text, uuid, int) is
'The weights, limits, quotas and pauses that are set, for operators. One row each: kind (weight, running, waiting, paused), subject (tenant; default: every tenant without one of its own; queue: all tenants of the queue together), base (declared by declare_limits), override (of an operator) and in_force, and who set what is in force, why, until when. queue is null for all queues; refuses: what is above a quota is refused.
Of one tenant: its own settings, and the defaults that apply to it. Without a tenant: the defaults, the limits of queues, and a page of tenants by id, at most p_limit of them (1 to 10,000); p_after continues after the last one. p_queue leaves what concerns this queue. A tenant without a weight has 1.
Errors: JQ004.';

grant execute on function fairclaim.show_limits(uuid, text, uuid, int) to fairclaim_operator;
