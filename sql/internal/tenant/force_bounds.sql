-- Each list has an item a place: what has changed in `bound`, of which the caller holds the lock. A
-- place may come twice, for a limit and a pause of one tenant.
create or replace function fairclaim_internal.force_bounds(
  p_kinds text[],
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
as $$
declare
  v_kind text;
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
begin
  foreach v_kind in array array['weight', 'running', 'waiting'] loop
    select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue)
      into v_subjects, v_tenants, v_queues
      from (select distinct place.subject, place.tenant_id, place.queue
              from unnest(p_kinds, p_subjects, p_tenants, p_queues)
                     place(kind, subject, tenant_id, queue)
             where case place.kind when 'paused' then 'running' else place.kind end
                   = v_kind) changed;
    continue when v_tenants is null;
    if v_kind = 'weight' then
      perform force_weights(v_tenants, v_queues, p_now);
    elsif v_kind = 'waiting' then
      perform force_waiting(v_subjects, v_tenants, v_queues, p_now);
    elsif force_running(v_subjects, v_tenants, v_queues, p_now) then
      perform note_limits(p_now);             -- jobs that waited for it may go now
    end if;
  end loop;
end
$$;

comment on function fairclaim_internal.force_bounds(text[], text[], uuid[], text[], timestamptz) is
'Puts what is set in these places into force, and lets the next tick wake the workers where a limit was raised or lifted.';
