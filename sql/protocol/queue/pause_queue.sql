-- Claims read the names of paused queues in statements of their own: one that begins after this
-- commit gives nothing of the queue, one that has begun may still. The row is only inserted, so
-- nothing waits but another pause of the same queue.
create or replace function fairclaim.pause_queue(p_queue text)
returns table (queue text, paused_at timestamptz, was_paused boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
  insert into queue as known (name, paused_at) values (p_queue, v_now)
      on conflict (name) do update set paused_at = coalesce(known.paused_at, excluded.paused_at)
  returning known.paused_at into paused_at;
  queue := p_queue;
  was_paused := paused_at <> v_now;
  in_use := queue_in_use(p_queue);
  if not was_paused then
    perform note_audit('pause_queue', 'queue', null, p_queue, null, '1');
  end if;
  return next;
end
$$;

comment on function fairclaim.pause_queue(text) is
'Stops a queue, for operators: claims that begin after this give none of its jobs, whether they name the queue or not. Dispatch, schedules and running jobs go on. A queue exists by use, so any name may be paused: in_use is false when no job waits in it or has within the last hour, which a misspelt name shows by. was_paused: it was already, since paused_at. list_audit and the server''s log say who did it.
Errors: JQ004.';

grant execute on function fairclaim.pause_queue(text) to fairclaim_operator;
