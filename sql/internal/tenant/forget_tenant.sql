-- Every table that has rows of a tenant, but those of its jobs, which are gone by now: so a table
-- that is added later is not forgotten here. Lanes are left to tick, which closes them when they
-- are empty, and the tenants of logins to the installer. What is audited stays. The nil uuid is no
-- tenant: rows of it hold for every tenant.
create or replace function fairclaim_internal.forget_tenant(p_tenant_id uuid) returns int
language plpgsql
as $$
declare
  v_table name;
  v_gone int;
  v_all int := 0;
begin
  if p_tenant_id = '00000000-0000-0000-0000-000000000000' then
    return 0;
  end if;
  perform lock_bounds();
  for v_table in
    select pg_class.relname
      from pg_class
      join pg_attribute on pg_attribute.attrelid = pg_class.oid
     where pg_class.relnamespace = 'fairclaim_internal'::regnamespace
       and pg_class.relkind = 'r' and not pg_class.relispartition
       and pg_attribute.attname = 'tenant_id' and not pg_attribute.attisdropped
       and pg_class.relname
           <> all ('{ready,scheduled,running,lane,audit,login_tenant}'::name[])
     order by 1
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
