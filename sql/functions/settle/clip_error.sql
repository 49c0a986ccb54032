-- An attempt's error, cut to 16 KiB: code, message and trace are kept, each cut.
create or replace function fairclaim.clip_error(p_error jsonb) returns jsonb
language sql immutable
as $$
  select case
    when p_error is null or octet_length(p_error::text) <= 16384 then p_error
    else jsonb_build_object('code', left(p_error ->> 'code', 64), 'message', left(p_error ->> 'message', 900),
                            'trace', left(p_error ->> 'trace', 1500), 'cut', true) end
$$;

comment on function fairclaim.clip_error(jsonb) is 'An error {code, message, trace} of at most 16 KiB.';
