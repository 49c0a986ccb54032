-- One job that is to run alone, in a database with limits: the oldest of a tenant that has none, or whose limit's row was got and leaves room
-- for one more. Looks at the 16 tenants whose jobs stand first among the 64 oldest of each lane. Locks, for each until one is found: the
-- limit's row (skip locked), and then, in a new statement, its running jobs are counted, with
-- what this call has taken of it in other queues (p_taken); last the job's row (skip locked).
create or replace function fairclaim.take_alone(
  p_lanes bigint[],
  p_floors bigint[],
  p_taken uuid[],
  out ids uuid[],
  out tenants uuid[],
  out attempts int[],
  out lefts smallint[],
  out losts smallint[]
)
language plpgsql
set enable_sort = on
as $$
declare
  v_tenants uuid[];
  v_tenant uuid;
  v_limit fairclaim.tenant_limit;
begin
  select array_agg(w.t order by w.first) into v_tenants
    from (select y.tenant_id t, min(y.seq) first
            from unnest(p_lanes, p_floors) u(l, f)
           cross join lateral (
             select y.tenant_id, y.seq from fairclaim.ready y
              where y.lane_id = u.l and y.seq >= u.f order by y.lane_id, y.seq limit 64) y
           group by y.tenant_id order by 2 limit 16) w;
  foreach v_tenant in array coalesce(v_tenants, '{}') loop
    if exists (select from fairclaim.tenant_limit b where b.tenant_id = v_tenant) then
      select * into v_limit from fairclaim.tenant_limit b where b.tenant_id = v_tenant and b.active for update skip locked;
      continue when not found
        or (select count(*) from fairclaim.running g where g.limited and g.tenant_id = v_tenant)
           + coalesce(cardinality(array_positions(p_taken, v_tenant)), 0) >= v_limit.max_running;
    end if;
    with taken as materialized (
      select y.ctid c, y.* from fairclaim.ready y
       where y.tenant_id = v_tenant and (y.lane_id >> 32) < 0 and array_position(p_lanes, y.lane_id) is not null
       order by y.seq limit 1 for update skip locked),
    gone as (
      delete from fairclaim.ready y where y.ctid = any (array(select taken.c from taken)))
    select array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.attempts + 1), array_agg(taken.attempts_left), array_agg(taken.lost)
      into ids, tenants, attempts, lefts, losts
      from taken;
    exit when ids is not null;
  end loop;
end
$$;

comment on function fairclaim.take_alone(bigint[], bigint[], uuid[]) is
'Takes one job that is to run alone out of these lanes, under the limits of tenants.';
