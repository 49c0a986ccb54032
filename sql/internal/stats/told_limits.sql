create or replace function fairclaim_internal.told_limits(
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz
) returns jsonb
language sql stable
as $$
  select coalesce(
    (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
              'kind', bound.kind, 'max_running', bound.max_running, 'running', bound.running,
              'units', bound.units, 'period', bound.period, 'burst', bound.burst,
              'due_in', bound.due_in)))
       from fairclaim_internal.limits_in_force(p_tenant_id, p_queue, p_now) bound), '[]')
$$;

comment on function fairclaim_internal.told_limits(uuid, text, timestamptz) is
'The limits and rates that bound a tenant in a queue, as the statistics functions tell them.';
