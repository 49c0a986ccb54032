-- The least id of a millisecond: the bound of a range of ids.
create or replace function fairclaim_internal.id_at(p_ms bigint) returns uuid
language sql immutable parallel safe
as $$ select (lpad(to_hex(p_ms), 12, '0') || '00000000000000000000')::uuid $$;

comment on function fairclaim_internal.id_at(bigint) is
'The least id that a job dispatched in this millisecond can have.';
