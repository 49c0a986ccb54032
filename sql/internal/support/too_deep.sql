-- Whether an array or an object stands 128 levels below the outermost one. It is one walk over the
-- value, without a copy. The path is strict, since a lax path opens arrays by itself and misses an
-- empty innermost one. The function is inlined wherever it is called.
create or replace function fairclaim_internal.too_deep(p_value jsonb) returns boolean
language sql immutable parallel safe
as $$
  select pg_catalog.jsonb_path_exists(p_value,
    'strict $.**{128} ? (@.type() == "object" || @.type() == "array")'::pg_catalog.jsonpath)
$$;

comment on function fairclaim_internal.too_deep(jsonb) is
'Whether arrays and objects nest deeper in a value than 128.';
