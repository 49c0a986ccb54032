-- Called for each watched row that a settlement of many jobs deletes, so that the statement that
-- answers the caller need not gather them.
create or replace function fairclaim_internal.note_watched() returns void
language plpgsql
as $$
begin
  if current_setting('fairclaim.watched', true) is distinct from '1' then
    perform set_config('fairclaim.watched', '1', true);
  end if;
end
$$;

comment on function fairclaim_internal.note_watched() is
'Notes for the rest of a settlement that a job has ended that something watches.';
