-- Only shorter than the setting: ranges of ids are dropped whole, for all tenants, when the
-- retention of the settings is over.
create or replace function fairclaim.set_retention(
  p_tenant_id uuid,
  p_seconds float8,
  p_why text default null
) returns table (tenant_id uuid, retention float8, default_retention float8)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_most float8 := (select extract(epoch from setting.retention) from setting);
begin
  perform check_tenant(p_tenant_id);
  if p_seconds not between 3600 and v_most then
    perform refuse('JQ004', 'p_seconds',
      'must be seconds from 3,600 (1 hour) to the retention of the settings',
      'a longer one is for all tenants: `fairclaim settings set retention`',
      jsonb_build_object('minimum', 3600, 'maximum', v_most));
  end if;
  if p_seconds is null then
    delete from tenant_retention own where own.tenant_id = p_tenant_id;
  else
    insert into tenant_retention as own (tenant_id, retention)
    values (p_tenant_id, make_interval(secs => p_seconds))
        on conflict (tenant_id) do update set retention = excluded.retention;
  end if;
  perform note_operation('set_retention', p_tenant_id, null, p_why);
  tenant_id := p_tenant_id;
  retention := p_seconds;
  default_retention := v_most;
  return next;
end
$$;

comment on function fairclaim.set_retention(uuid, float8, text) is
'How long ended jobs of one tenant are kept, for operators: seconds from 3,600 up to the retention of the settings, which holds for whoever has none of his own; null takes it away. prune() deletes what is past it, job by job, within minutes. p_why: for the audit table.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_retention(uuid, float8, text) to fairclaim_operator;
