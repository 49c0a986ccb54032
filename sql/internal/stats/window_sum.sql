-- The slot that is running counts whole, and the one before it for the part of it that is not older
-- than the window, as if it had been even. In plain SQL without settings, so that it becomes a part
-- of the statement that calls it.
create or replace function fairclaim_internal.window_sum(
  p_sums float4[],
  p_place int,
  p_slot bigint,
  p_width int,
  p_now timestamptz
) returns float8
language sql stable parallel safe
as $$
  select case p_slot
    when floor(extract(epoch from p_now) / p_width)::bigint then
      coalesce(p_sums[p_place], 0)
      + coalesce(p_sums[p_place + 5], 0)
        * (1 - extract(epoch from p_now)::float8 / p_width
           + floor(extract(epoch from p_now) / p_width)::float8)
    when floor(extract(epoch from p_now) / p_width)::bigint - 1 then
      coalesce(p_sums[p_place], 0)
      * (1 - extract(epoch from p_now)::float8 / p_width
         + floor(extract(epoch from p_now) / p_width)::float8)
    else 0 end
$$;

comment on function fairclaim_internal.window_sum(float4[], int, bigint, int, timestamptz) is
'One of the five sums of a window that ends now: dispatched, claimed, finished, failed, seconds.';
