-- Two look-ups by index: in the names that tick has folded, else in the notes of dispatches since.
create or replace function fairclaim_internal.tenant_label(p_tenant_id uuid) returns text
language sql stable
as $$
  select coalesce(
    (select known.name from fairclaim_internal.tenant_name known
      where known.tenant_id = p_tenant_id),
    (select note.name from fairclaim_internal.tenant_note note
      where note.tenant_id = p_tenant_id limit 1))
$$;

comment on function fairclaim_internal.tenant_label(uuid) is
'The name of a tenant, or null when no job was dispatched for it by name.';
