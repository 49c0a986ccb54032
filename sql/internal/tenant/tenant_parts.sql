create or replace function fairclaim_internal.tenant_parts(p_tenant_id uuid)
returns table (kind text, document jsonb)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
  select 'tenant', jsonb_build_object(
           'tenant_id', p_tenant_id, 'name', tenant_label(p_tenant_id),
           'weight', (select tenant.weight from tenant where tenant.tenant_id = p_tenant_id),
           'retention', (select extract(epoch from own.retention) from tenant_retention own
                          where own.tenant_id = p_tenant_id));
  return query
  select 'setting', jsonb_strip_nulls(jsonb_build_object(
           'setting', case bound.subject when 'drain' then 'drain' else 'quota' end,
           'queue', nullif(bound.queue, ''),
           'max_waiting', case when bound.subject <> 'drain' then bound.max_waiting end,
           'refuses', bound.refuses, 'drained_at', bound.drained_at))
    from waiting_limit bound
   where bound.tenant_id = p_tenant_id
   order by bound.subject, bound.queue;
  return query
  select 'setting', jsonb_strip_nulls(jsonb_build_object(
           'setting', 'limit', 'queue', nullif(bound.queue, ''),
           'max_running', bound.max_running))
    from running_limit bound
   where bound.tenant_id = p_tenant_id
   order by bound.queue;
  return query
  select 'audit', jsonb_build_object(
           'at', entry.at, 'who', entry.who, 'what', entry.what, 'queue', entry.queue,
           'old_value', entry.old_value, 'new_value', entry.new_value, 'until', entry.until,
           'why', entry.why, 'many', entry.many)
    from audit entry
   where entry.tenant_id = p_tenant_id
   order by entry.audit_id;
end
$$;

comment on function fairclaim_internal.tenant_parts(uuid) is
'What is known of a tenant beside its jobs, one row each, for its export.';
