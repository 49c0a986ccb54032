-- Claims look at notes only within a minute of this (admit_keys). Set at most once a second.
create or replace function fairclaim_internal.tell_of_keys(p_ms bigint) returns void
language plpgsql
as $$
begin
  if coalesce(pg_sequence_last_value('key_noted_at'), 0) not between p_ms - 1000 and p_ms then
    perform setval('key_noted_at', greatest(0, p_ms));
  end if;
end
$$;

comment on function fairclaim_internal.tell_of_keys(bigint) is
'Notes that there is a new note of a key.';
