-- A window is counted in two slots of its width: the one that is running and the one before it,
-- five sums each: dispatched, claimed, finished, failed, seconds. So a row says what happened in
-- the last minute without keeping a row for each second.
create or replace function fairclaim_internal.roll_window(
  p_sums float4[],
  p_slot bigint,
  p_now bigint,
  p_add float8[],
  p_add_before float8[]
) returns float4[]
language sql immutable parallel safe
as $$
  select array_agg(
           (case when p_slot = p_now then coalesce(p_sums[place.n], 0) else 0 end
            + coalesce(p_add[place.n], 0))::float4 order by place.n)
      || array_agg(
           (case when p_slot = p_now then coalesce(p_sums[place.n + 5], 0)
                 when p_slot = p_now - 1 then coalesce(p_sums[place.n], 0)
                 else 0 end
            + coalesce(p_add_before[place.n], 0))::float4 order by place.n)
    from generate_series(1, 5) place(n)
$$;

comment on function fairclaim_internal.roll_window(float4[], bigint, bigint, float8[], float8[]) is
'Adds to the two slots of a window, after moving them to the slot that is running now.';
