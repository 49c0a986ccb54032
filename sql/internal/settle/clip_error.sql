-- An attempt's error, always an object and at most 16 KiB: code, message and trace are kept, each
-- cut. What is no object, or nests too deep, becomes one; it is never refused, since the worker
-- that settles did not make it. A code is a short word that operators may read who see no payload,
-- so what is none is dropped; a number becomes one. In plpgsql: a function in SQL that is not
-- inlined is planned again in every transaction.
create or replace function fairclaim_internal.clip_error(p_error jsonb) returns jsonb
language plpgsql immutable
as $$
declare
  v_error jsonb := p_error;
  v_bytes int;
begin
  if p_error is null then
    return null;
  elsif jsonb_typeof(p_error) <> 'object' then
    return jsonb_build_object('message', left(p_error #>> '{}', 900));
  elsif (jsonb_typeof(p_error -> 'code') in ('string', 'number')
         and length(p_error ->> 'code') <= 64
         and p_error ->> 'code' ~ '^[A-Za-z0-9_.:-]+$') is false then
    v_error := p_error - 'code';
  elsif jsonb_typeof(p_error -> 'code') = 'number' then
    v_error := jsonb_set(p_error, '{code}', to_jsonb(p_error ->> 'code'));
  end if;
  v_bytes := octet_length(v_error::text);
  if v_bytes > 16384 or v_bytes > 257 and too_deep(v_error) then
    return jsonb_build_object('code', v_error ->> 'code',
                              'message', left(v_error ->> 'message', 900),
                              'trace', left(v_error ->> 'trace', 1500), 'cut', true);
  end if;
  return v_error;
end
$$;

comment on function fairclaim_internal.clip_error(jsonb) is
'An error {code, message, trace} of at most 16 KiB. A code that is no word of at most 64 characters of A-Z a-z 0-9 _ . : - is dropped; a number becomes one.';
