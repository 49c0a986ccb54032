create or replace function fairclaim_internal.error_has(p_error jsonb, p_text text) returns boolean
language sql immutable parallel safe
as $$
  select strpos(lower(coalesce(p_error ->> 'code', '') || E'\n' || coalesce(p_error ->> 'message', '')), lower(p_text)) > 0
$$;

comment on function fairclaim_internal.error_has(jsonb, text) is 'Whether the code or the message of an error has this text in it, upper or lower case.';
