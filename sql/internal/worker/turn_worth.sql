-- What a turn is worth to a tenant of weight 1, in seconds. Its jobs in a turn are that, divided by
-- what one of its jobs takes, and rounded; so the slowest tenant must give one at least, and the
-- fastest 10,000 at most. Three of the slowest make the rounding fine enough; but for jobs of many
-- seconds turns would be long, and there one is enough. What is in force stays while it is near to
-- that, so that lanes are not written again for every change of a mean.
create or replace function fairclaim_internal.turn_worth(
  p_now float8,
  p_slowest float8,
  p_fastest float8
) returns float8
language plpgsql immutable
as $$
declare
  v_best float8 := greatest(p_slowest, least(3 * p_slowest, 6, 10000 * p_fastest));
begin
  if p_now >= p_slowest and p_now between v_best / 1.5 and v_best * 1.5 then
    return p_now;
  end if;
  return v_best;
end
$$;

comment on function fairclaim_internal.turn_worth(float8, float8, float8) is
'How many seconds a turn is worth to a tenant of weight 1, from the seconds of a job divided by the weight of its tenant: the most and the least that there is in the queue.';
