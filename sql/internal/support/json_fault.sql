-- What is wrong with a payload, a result or metadata of the caller's: null when nothing is. It
-- makes the text of the message: callers look at size and depth themselves, in one expression. A
-- text of at most 257 bytes cannot nest deeper than 128.
create or replace function fairclaim_internal.json_fault(p_value jsonb, p_max_bytes int)
returns text
language plpgsql immutable
as $$
declare
  v_bytes int := octet_length(p_value::text);
begin
  return case
    when v_bytes > p_max_bytes then format('must be at most %s bytes of JSON text', p_max_bytes)
    when v_bytes > 257 and too_deep(p_value) then 'must nest at most 128 deep'
  end;
end
$$;

comment on function fairclaim_internal.json_fault(jsonb, int) is
'Why a JSON value is refused (size, depth), or null.';
