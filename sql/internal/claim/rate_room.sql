-- How many jobs may begin now under a rate: of `burst` so many as have not been used up. A row of
-- rate_use says up to which time the rate is used up; each unit takes period / units of that time.
-- Rounded down, so that a rate is never exceeded.
create or replace function fairclaim_internal.rate_room(
  p_units int,
  p_period float8,
  p_burst int,
  p_paid_until timestamptz,
  p_now timestamptz
) returns int
language sql immutable
as $$
  select greatest(0, floor(
    p_burst - greatest(0, coalesce(extract(epoch from p_paid_until - p_now)::float8, 0))
              * p_units / p_period))::int
$$;

comment on function fairclaim_internal.rate_room(int, float8, int, timestamptz, timestamptz) is
'How many jobs may begin now under a rate that is used up until then; null: not at all.';
