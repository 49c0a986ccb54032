-- Enables and forces row security, with a policy for the owner: definer functions keep working, and
-- no other role sees a row.
create or replace function fairclaim_internal.secure_table(p_table text) returns void
language plpgsql
as $$
declare
  v_class oid := format('fairclaim_internal.%I', p_table)::regclass;
begin
  if not exists (
       select from pg_catalog.pg_class
        where pg_class.oid = v_class and pg_class.relrowsecurity
          and pg_class.relforcerowsecurity) then
    execute format(
      'alter table fairclaim_internal.%I enable row level security, force row level security',
      p_table);
  end if;
  if not exists (
       select from pg_catalog.pg_policy
        where pg_policy.polrelid = v_class and pg_policy.polname = 'owner_all') then
    execute format(
      'create policy owner_all on fairclaim_internal.%I to %I '
        'using (true) with check (true)', p_table,
      fairclaim_internal.our_role('owner'));
  end if;
end
$$;

comment on function fairclaim_internal.secure_table(text) is
'Enables and forces row security on a table and lets its owner through.';
