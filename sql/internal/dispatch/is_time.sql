-- Whether a text looks like a time in ISO 8601 with its offset: no word (`tomorrow`, a zone's
-- name), no bare number, no time without an offset. It is cheap, since every job of a batch may
-- have one: a class of characters and places of separators, where one regular expression for all of
-- it costs five times as much. The cast tells whether there is such a time.
create or replace function fairclaim_internal.is_time(p_text text) returns boolean
language sql immutable parallel safe
as $$
  select length(p_text) <= 40 and p_text like '____-__-_____:__%'
     and p_text ~ '^[0-9T:.+Z -]+$' and p_text not like '%--%'
     and (p_text like '%Z' or p_text like '%+__:__' or p_text like '%-__:__')
$$;

comment on function fairclaim_internal.is_time(text) is
'Whether a text has the form of a time in ISO 8601 with its offset, Z or +hh:mm. Null for null.';
