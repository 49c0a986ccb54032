create or replace function fairclaim.undrain_queue(p_queue text, p_why text default null)
returns table (queue text, drained_at timestamptz, was_drained boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  perform check_queue(p_queue);
  queue := p_queue;
  delete from waiting_limit bound
   where bound.subject = 'drain' and bound.queue = p_queue
     and bound.tenant_id = '00000000-0000-0000-0000-000000000000';
  was_drained := found;
  in_use := queue_in_use(p_queue);
  if was_drained then
    perform note_operation('undrain_queue', null, p_queue, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.undrain_queue(text, text) is
'Lets dispatches put jobs into a queue again, for operators. was_drained is false when it was not being drained; drained_at is null; in_use as in pause_queue.
Errors: JQ004.';

grant execute on function fairclaim.undrain_queue(text, text) to fairclaim_operator;
