-- Writes the override of one place, or takes it away where the value is null, and puts into force
-- what follows. Locks `bound`; then rows of what is in force, for which it waits.
create or replace function fairclaim_internal.put_bound(
  p_what text,
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_value int,
  p_refuses boolean,
  p_why text,
  p_until timestamptz,
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
as $$
declare
  v_tenant uuid := case when p_subject = 'tenant' then p_tenant_id
                        else '00000000-0000-0000-0000-000000000000' end;
  v_queue text := coalesce(p_queue, '');
  v_old int;
begin
  perform check_bound(p_kind, p_subject, p_tenant_id, p_queue, p_value, p_why, p_until, p_now);
  perform lock_bounds();
  delete from bound
   where bound.tenant_id = v_tenant and bound.queue = v_queue and bound.kind = p_kind
     and bound.subject = p_subject and bound.key is null and bound.layer = 'override'
  returning bound.value into v_old;
  if p_value is not null then
    insert into bound (kind, subject, tenant_id, queue, layer, value, refuses, set_by, why, until,
                       set_at)
    values (p_kind, p_subject, v_tenant, v_queue, 'override', p_value, p_refuses, session_user,
            p_why, p_until, p_now);
  end if;
  perform force_bounds(array[p_kind], array[p_subject], array[v_tenant], array[v_queue], p_now);
  perform note_audit(p_what, p_subject, case when p_subject = 'tenant' then v_tenant end, v_queue,
    v_old::text, p_value::text, p_why, p_until);
end
$$;

comment on function fairclaim_internal.put_bound(text, text, text, uuid, text, int, boolean, text,
    timestamptz, timestamptz) is
'Sets an override of an operator, or takes it away (a null value). Errors: JQ002, JQ004.';
