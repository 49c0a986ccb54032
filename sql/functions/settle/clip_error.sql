-- An attempt's error, always an object and at most 16 KiB: code, message and trace are kept, each cut. What is no object, or nests
-- too deep, becomes one; it is never refused, since whoever settles did not make it.
create or replace function fairclaim.clip_error(p_error jsonb) returns jsonb
language sql immutable
as $$
  select case
    when p_error is null then null
    when jsonb_typeof(p_error) <> 'object' then jsonb_build_object('message', left(p_error #>> '{}', 900))
    when fairclaim.json_fault(p_error, 16384) is null then p_error
    else jsonb_build_object('code', left(p_error ->> 'code', 64), 'message', left(p_error ->> 'message', 900),
                            'trace', left(p_error ->> 'trace', 1500), 'cut', true) end
$$;

comment on function fairclaim.clip_error(jsonb) is 'An error {code, message, trace} of at most 16 KiB.';
