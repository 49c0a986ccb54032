-- The caller holds the lock on `bound`. A value that is null removes the row of that number.
create or replace function fairclaim_internal.write_base(
  p_ids bigint[],
  p_kinds text[],
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_values int[],
  p_refuses boolean[],
  p_why text,
  p_now timestamptz
) returns void
language plpgsql
as $$
begin
  -- all that change go, and come again where they have a value
  delete from bound
   where bound.ctid = any (array(
     select gone.place
       from unnest(p_ids) listed(id)
      cross join lateral (
        select known.ctid as place from bound known
         where known.bound_id = listed.id offset 0) gone));
  insert into bound (kind, subject, tenant_id, queue, layer, value, refuses, set_by, why, set_at)
  select item.kind, item.subject, item.tenant_id, item.queue, 'base', item.value, item.refuses,
         session_user, p_why, p_now
    from unnest(p_kinds, p_subjects, p_tenants, p_queues, p_values, p_refuses)
           item(kind, subject, tenant_id, queue, value, refuses)
   where item.value is not null;
  perform force_bounds(p_kinds, p_subjects, p_tenants, p_queues, p_now);
  perform note_audit('declare_limits', 'all', null, null, null, null, p_why, null,
    cardinality(p_kinds));
end
$$;

comment on function fairclaim_internal.write_base(bigint[], text[], text[], uuid[], text[], int[],
    boolean[], text, timestamptz) is
'Writes the settings that a declaration changes, and puts into force what follows.';
