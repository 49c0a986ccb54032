-- As drain_tenant, for a queue: its row has the nil uuid, which every dispatch looks for.
create or replace function fairclaim.drain_queue(p_queue text, p_why text default null)
returns table (queue text, drained_at timestamptz, was_drained boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  perform check_queue(p_queue);
  queue := p_queue;
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, drained_at)
  values ('drain', v_none, p_queue, 0, fairclaim.clock()) on conflict do nothing;
  was_drained := not found;
  drained_at := (select bound.drained_at from waiting_limit bound
                  where bound.subject = 'drain' and bound.tenant_id = v_none
                    and bound.queue = p_queue);
  in_use := queue_in_use(p_queue);
  if not was_drained then
    perform note_operation('drain_queue', null, p_queue, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.drain_queue(text, text) is
'Takes no new jobs in a queue any more, for operators: dispatches into it are refused (JQ003), and what waits or runs is finished. What comes back (a retry, a delayed job that is due) is never refused. undrain_queue ends it. p_why: 1 to 1,000 characters for the audit table. was_drained: it was already, since drained_at. in_use as in pause_queue.
Errors: JQ004.';

grant execute on function fairclaim.drain_queue(text, text) to fairclaim_operator;
