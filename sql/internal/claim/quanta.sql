-- How many jobs each tenant of a window may give. It is the tenant's weight, times what is needed
-- if the window is the whole round. Otherwise it is the weight once for every 64 jobs that are
-- asked for: a claim of hundreds of jobs would have to pay for as many visits. Where the weights
-- are large, fewer visits fill the call, and turns stay as short as they can be.
create or replace function fairclaim_internal.quanta(p_weights int[], p_limit int, p_whole boolean)
returns int[]
language plpgsql immutable
as $$
declare
  v_times int;
begin
  if not p_whole then
    v_times := p_limit / 64;
    if v_times > 1 then
      v_times := least(v_times,
        2 * p_limit / (select sum(tenant.weight) from unnest(p_weights) tenant(weight)));
    end if;
  elsif p_limit > cardinality(p_weights) then
    v_times := p_limit / (select sum(tenant.weight) from unnest(p_weights) tenant(weight));
  end if;
  if v_times is null or v_times <= 1 then
    return p_weights;
  end if;
  return (select array_agg(tenant.weight * v_times) from unnest(p_weights) tenant(weight));
end
$$;

comment on function fairclaim_internal.quanta(int[], int, boolean) is
'How many jobs each tenant of a window may give, by its weight.';
