-- The unit decides how a text is read: nothing is cast before it has that shape, since a cast that
-- fails quotes it.
create or replace function fairclaim_internal.check_setting(
  p_unit text,
  p_minimum numeric,
  p_maximum numeric,
  p_value text
) returns void
language plpgsql
as $$
declare
  v_shape text := case p_unit when 'seconds' then '^[0-9]+([.][0-9]+)?$' else '^[0-9]+$' end;
  v_what text := case p_unit when 'number' then 'whole number' else 'number of ' || p_unit end;
begin
  if p_value is null then
    return;
  elsif p_unit = 'name' then
    if not is_tenant_name(p_value) then
      perform refuse('JQ004', 'p_value', 'must be 1 to 255 bytes without control characters',
        p_detail => '{"limit": 255}');
    end if;
  elsif (case when length(p_value) <= 30 and p_value ~ v_shape
              then p_value::numeric not between p_minimum and p_maximum else true end) then
    perform refuse('JQ004', 'p_value',
      format('must be a %s from %s to %s', v_what, p_minimum, p_maximum),
      p_detail => jsonb_build_object('minimum', p_minimum, 'maximum', p_maximum));
  end if;
end
$$;

comment on function fairclaim_internal.check_setting(text, numeric, numeric, text) is
'Refuses a value that a setting with this unit and these bounds may not have (JQ004). Null is any setting''s default.';
