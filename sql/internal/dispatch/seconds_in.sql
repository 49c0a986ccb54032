-- In plpgsql, and so not inlined: a batch without delays and timeouts does not pay for setting up
-- the parts of this expression. Strict, and so not even called for it.
create or replace function fairclaim_internal.seconds_in(
  p_value jsonb,
  p_least numeric,
  p_most numeric
) returns interval
language plpgsql immutable strict
as $$
begin
  return case when jsonb_typeof(p_value) = 'number' and p_value::numeric between p_least and p_most
              then make_interval(secs => p_value::float8) end;
end
$$;

comment on function fairclaim_internal.seconds_in(jsonb, numeric, numeric) is
'As many seconds as a JSON number between two bounds says. Null for anything else.';
