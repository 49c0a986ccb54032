-- Remembers how tenants are called, once each: it appends, and tick folds. Locks nothing and waits
-- for nothing. A tenant whose name is folded costs one look-up in an index. Notes that wait for the
-- next tick are looked at too, so that they stay few while no tick comes; not outside READ
-- COMMITTED, where a serializable dispatch would collide with every other that notes a name. A text
-- that is the uuid itself is no name worth keeping. In plpgsql: a function in SQL is planned again
-- in every transaction.
create or replace function fairclaim_internal.note_tenants(p_tenant_ids uuid[], p_names text[])
returns void
language plpgsql
as $$
begin
  insert into tenant_note (tenant_id, name)
  select tenant.id, tenant.name
    from unnest(p_tenant_ids, p_names) tenant(id, name)
   where lower(tenant.name) <> tenant.id::text
     and not exists (select from tenant_name known where known.tenant_id = tenant.id offset 0)
     and case when current_setting('transaction_isolation') = 'read committed'
              then not exists (
                     select from tenant_note note where note.tenant_id = tenant.id offset 0)
              else true end;
end
$$;

comment on function fairclaim_internal.note_tenants(uuid[], text[]) is
'Notes the names of tenants that are not known yet, for the next tick to keep.';
