-- Retry, release, lost lease, promotion: back into a lane; the key comes from `job`. The join order is pinned. Outside READ COMMITTED,
-- where no lane may be chosen (I3), they become due at once and the next tick places them. Returns how many are in a lane.
create or replace function fairclaim.to_ready(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[]
) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    insert into fairclaim.scheduled
    select fairclaim.clock(), x.i, x.t, x.a, x.l, x.z from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) x(t, i, a, l, z);
    return 0;
  end if;
  select array_agg(x.t order by x.o), array_agg(x.i order by x.o), array_agg(j.queue order by x.o), array_agg(j.type order by x.o),
         array_agg(j.priority order by x.o), array_agg(x.a order by x.o), array_agg(x.l order by x.o), array_agg(x.z order by x.o)
    into v_tenants, v_ids, v_queues, v_types, v_priorities, v_attempts, v_left, v_lost
    from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) with ordinality x(t, i, a, l, z, o)
   cross join lateral (
     select j.queue, j.type, j.priority from fairclaim.job j where j.tenant_id = x.t and j.id = x.i offset 0) j;
  if v_ids is null then
    return 0;
  end if;
  return fairclaim.into_lanes(v_tenants, v_ids, v_queues, v_types, v_priorities, v_attempts, v_left, v_lost,
    '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim.to_ready(uuid[], uuid[], int[], smallint[], smallint[]) is
'Puts jobs that come back (retry, release, lost lease, due) into lanes, by way of the next tick outside READ COMMITTED.';
