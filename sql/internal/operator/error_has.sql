-- An error has at most 16 KiB (clip_error), so this reads no more than that.
create or replace function fairclaim_internal.error_has(p_error jsonb, p_text text) returns boolean
language sql immutable parallel safe
as $$
  select strpos(
           lower(concat_ws(E'\n', p_error ->> 'code', p_error ->> 'message', p_error ->> 'trace')),
           lower(p_text)) > 0
$$;

comment on function fairclaim_internal.error_has(jsonb, text) is
'Whether the code, the message or the trace of an error has this text in it, upper or lower case. What a command wrote to stderr is its trace.';
