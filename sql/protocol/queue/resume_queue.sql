-- Deletes the row, unless it says more: a queue that is not paused needs none. Idle workers are
-- woken whatever the hints of wake() say, since this is seldom and an operator waits for it.
create or replace function fairclaim.resume_queue(p_queue text)
returns table (queue text, paused_at timestamptz, was_paused boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
  update queue known set paused_at = null
   where known.name = p_queue and known.paused_at is not null;
  was_paused := found;
  delete from queue known
   where known.name = p_queue and known.paused_at is null and known.fair_by = 'claims';
  queue := p_queue;
  in_use := queue_in_use(p_queue);
  if was_paused then
    perform note_audit('resume_queue', 'queue', null, p_queue, '1', null);
    perform tell('');
  end if;
  return next;
end
$$;

comment on function fairclaim.resume_queue(text) is
'Lets claims have the jobs of a paused queue again, for operators, and wakes the workers. was_paused is false when it was not paused; in_use as in pause_queue; paused_at is null. list_audit and the server''s log say who did it.
Errors: JQ004.';

grant execute on function fairclaim.resume_queue(text) to fairclaim_operator;
