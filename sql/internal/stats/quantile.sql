-- The least value that is not exceeded by this part of the values (nearest rank).
create or replace function fairclaim_internal.quantile(p_values float4[], p_part float8)
returns float8
language sql immutable parallel safe
as $$
  select round((percentile_disc(p_part) within group (order by sample.value))::numeric, 3)::float8
    from unnest(p_values) sample(value)
$$;

comment on function fairclaim_internal.quantile(float4[], float8) is
'A quantile of some values; null when there are none.';
