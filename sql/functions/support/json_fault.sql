-- What is wrong with a payload, result or metadata of the caller's: null when nothing is. Depth is looked at only where the
-- text is long enough and has brackets enough to break the limit.
create or replace function fairclaim.json_fault(p_value jsonb, p_max_bytes int) returns text
language plpgsql immutable
as $$
declare
  v_text text := p_value::text;
begin
  if octet_length(v_text) > p_max_bytes then
    return format('must be at most %s bytes of JSON text', p_max_bytes);
  elsif octet_length(v_text) > 257 and length(v_text) - length(translate(v_text, '[{', '')) > 128
        and fairclaim.json_depth(p_value) > 128 then
    return 'must nest at most 128 deep';
  end if;
  return null;
end
$$;

comment on function fairclaim.json_fault(jsonb, int) is 'Why a JSON value is refused (size, depth), or null.';
