-- Locks the one row of `setting`, for which no reader waits. Every call reads the settings again,
-- so a change is in effect with its commit.
create or replace function fairclaim.set_setting(p_name text, p_value text)
returns table (name text, value text, default_value text, unit text, about text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_known record;
  v_value text := case when p_value in ('default', 'null') then null else p_value end;
begin
  select * into v_known from known_settings() known where known.name = p_name;
  if not found then
    perform refuse('JQ004', 'p_name', 'must be the name of a setting',
      p_detail => (select jsonb_build_object('allowed', jsonb_agg(known.name order by known.place))
                     from known_settings() known));
  end if;
  perform check_setting(v_known.unit, v_known.minimum, v_known.maximum, v_value);
  v_value := coalesce(v_value, v_known.default_value);
  execute format('update setting set %I = %s', v_known.name,
                 case v_known.unit when 'seconds' then 'make_interval(secs => $1::float8)'
                                   when 'name' then '$1' else '$1::int' end)
    using v_value;
  raise log 'fairclaim: setting % changed by %', v_known.name, session_user;
  return query select * from fairclaim.list_settings() listed where listed.name = p_name;
end
$$;

comment on function fairclaim.set_setting(text, text) is
'Changes a setting (the names are those of list_settings), for operators, and returns it as list_settings does. p_value: a number of seconds or bytes or a whole number without its unit, or a name, as its unit says; null, or the word default or null, sets it back. In effect with the commit, without a restart. The server''s log says who changed which one.
Errors: JQ004 with the bounds, or the names that are allowed.';

grant execute on function fairclaim.set_setting(text, text) to fairclaim_operator;
