create or replace function fairclaim_internal.tenant_parts(p_tenant_id uuid)
returns table (kind text, document jsonb)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
  select 'tenant', jsonb_build_object(
           'tenant_id', p_tenant_id, 'name', tenant_label(p_tenant_id),
           'retention', (select extract(epoch from own.retention) from tenant_retention own
                          where own.tenant_id = p_tenant_id));
  return query
  select 'setting', jsonb_strip_nulls(jsonb_build_object(
           'setting', set_by.kind, 'queue', nullif(set_by.queue, ''), 'layer', set_by.layer,
           'value', set_by.value, 'share', set_by.share, 'period', set_by.period,
           'burst', set_by.burst, 'key', set_by.key, 'refuses', set_by.refuses,
           'set_by', set_by.set_by, 'why', set_by.why, 'until', set_by.until,
           'set_at', set_by.set_at))
    from bound set_by
   where set_by.tenant_id = p_tenant_id
   order by set_by.kind, set_by.queue, set_by.layer;
  return query
  select 'setting', jsonb_build_object('setting', 'drain', 'drained_at', drain.drained_at)
    from waiting_limit drain
   where drain.tenant_id = p_tenant_id and drain.subject = 'drain';
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
