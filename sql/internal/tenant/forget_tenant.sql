-- Every table that has rows of a tenant which belong to no job. Lanes are left to tick, which
-- closes them when they are empty, and the tenants of logins to the installer. What is audited
-- stays.
create or replace function fairclaim_internal.forget_tenant(p_tenant_id uuid) returns int
language plpgsql
as $$
declare
  v_table text;
  v_gone int;
  v_all int := 0;
begin
  foreach v_table in array array[
    'waiting_limit', 'waiting_count', 'delayed_job', 'bound', 'tenant_weight', 'weight_note',
    'running_limit', 'at_limit', 'rate_use', 'stat', 'tenant_retention', 'tenant_name', 'tenant_note', 'suspect', 'cancel_request']
  loop
    execute format(
      'delete from %I gone
        where gone.ctid = any (array(
          select named.ctid from %I named where named.tenant_id = $1 for update skip locked))',
      v_table, v_table) using p_tenant_id;
    get diagnostics v_gone = row_count;
    if v_table in ('bound', 'tenant_retention', 'tenant_name') then
      v_all := v_all + v_gone;
    end if;
  end loop;
  return v_all;
end
$$;

comment on function fairclaim_internal.forget_tenant(uuid) is
'Deletes what is known of a tenant without jobs: its name, limits, weight, retention and what was noted about it. Returns how many settings went.';
