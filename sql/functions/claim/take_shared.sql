-- Locks and takes up to p_limit rows from shared lanes, first come first served. Several lanes: first, read only, how many of the
-- oldest rows are in which; then exactly those are locked. p_rest: whatever is left, oldest lane first, for a second pass.
-- Passed over: rows of a limited tenant (tick moves them).
create or replace function fairclaim.take_shared(
  p_lanes bigint[],
  p_floors bigint[],
  p_limit int,
  p_limited boolean,
  p_rest boolean,
  out ids uuid[],
  out tenants uuid[],
  out attempts int[],
  out lefts smallint[],
  out losts smallint[]
)
language plpgsql
as $$
declare
  v_lanes bigint[] := p_lanes;
  v_floors bigint[] := p_floors;
  v_counts int[];
begin
  if cardinality(p_lanes) > 1 and not p_rest then
    select array_agg(c.l), array_agg(c.f), array_agg(c.n) into v_lanes, v_floors, v_counts
      from (select z.l, min(z.seq) f, count(*)::int n
              from (select u.l, y.seq
                      from unnest(p_lanes, p_floors) u(l, f)
                     cross join lateral (
                       select y.seq from fairclaim.ready y
                        where y.lane_id = u.l and y.seq >= u.f
                          and (not p_limited or not exists (select from fairclaim.tenant_limit b where b.tenant_id = y.tenant_id))
                        order by y.lane_id, y.seq limit p_limit) y
                     order by y.seq limit p_limit) z
             group by z.l) c;
    if v_lanes is null then
      return;
    end if;
  else
    v_counts := array_fill(p_limit, array[cardinality(p_lanes)]);
  end if;
  with taken as materialized (
    select y.*
      from unnest(v_lanes, v_floors, v_counts) u(l, f, k)
     cross join lateral (
       select y.ctid c, y.* from fairclaim.ready y
        where y.lane_id = u.l and y.seq >= u.f
          and (not p_limited or not exists (select from fairclaim.tenant_limit b where b.tenant_id = y.tenant_id))
        order by y.lane_id, y.seq limit u.k for update skip locked) y
     limit p_limit),
  gone as (
    delete from fairclaim.ready y where y.ctid = any (array(select taken.c from taken)))
  select array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.attempts + 1),
         array_agg(taken.attempts_left), array_agg(taken.lost)
    into ids, tenants, attempts, lefts, losts
    from taken;
end
$$;

comment on function fairclaim.take_shared(bigint[], bigint[], int, boolean, boolean) is 'Takes jobs out of shared lanes.';
