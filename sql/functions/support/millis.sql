-- Whole milliseconds since 1970, as ids and hint sequences carry them.
create or replace function fairclaim.millis(p_at timestamptz) returns bigint
language sql immutable parallel safe
as $$ select (extract(epoch from p_at) * 1000)::bigint $$;

comment on function fairclaim.millis(timestamptz) is 'Milliseconds since 1970.';
