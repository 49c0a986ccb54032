create or replace function fairclaim_internal.check_queue(
  p_queue text,
  p_field text default 'p_queue'
) returns void
language plpgsql
as $$
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', p_field,
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
end
$$;

comment on function fairclaim_internal.check_queue(text, text) is
'Refuses what cannot be the name of a queue (JQ004).';
