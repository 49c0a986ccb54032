-- Retry, release, lost lease, promotion: back into a lane; the key comes from `job`. The join order is pinned. Outside READ COMMITTED,
-- where no lane may be chosen (I3), they become due at once and the next tick places them. Returns how many are in a lane.
create or replace function fairclaim_internal.to_ready(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[]
) returns int
language plpgsql
as $$
declare
  v_rows ready[];
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled
    select fairclaim.clock(), x.i, x.t, x.a, x.l, x.z from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) x(t, i, a, l, z);
    return 0;
  end if;
  with item as materialized (
    select x.*, j.queue q, j.type k, j.priority p
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) with ordinality x(t, i, a, l, z, o)
     cross join lateral (
       select j.queue, j.type, j.priority from job j where j.tenant_id = x.t and j.id = x.i offset 0) j),
  kind as materialized (
    select d.*, row_number() over () n from (select distinct item.q, item.k, item.p from item) d)
  select (select array_agg(row (kind.n, item.o, item.i, item.t, item.a, item.l, item.z)::ready)
            from item join kind on kind.q = item.q and kind.k = item.k and kind.p = item.p),
         array_agg(kind.q order by kind.n), array_agg(kind.k order by kind.n), array_agg(kind.p order by kind.n)
    into v_rows, v_queues, v_types, v_priorities
    from kind;
  if v_rows is null then
    return 0;
  end if;
  return into_lanes(v_rows, v_queues, v_types, v_priorities, '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim_internal.to_ready(uuid[], uuid[], int[], smallint[], smallint[]) is
'Puts jobs that come back (retry, release, lost lease, due) into lanes, by way of the next tick outside READ COMMITTED.';
