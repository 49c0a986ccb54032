-- Whole milliseconds since 1970, as ids and hint sequences carry them. It is stable, as extract()
-- is: if it were declared immutable, it would not be inlined, and every call would be a query of
-- its own.
create or replace function fairclaim_internal.millis(p_at timestamptz) returns bigint
language sql stable parallel safe
as $$ select (extract(epoch from p_at) * 1000)::bigint $$;

comment on function fairclaim_internal.millis(timestamptz) is 'Milliseconds since 1970.';
