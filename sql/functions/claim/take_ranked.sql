-- As take_shared, for a queue in which priorities are in use. Whose turn it is, is told by the places in line, whatever the priorities; what
-- a tenant gives at its turn is the highest it has, in shared lanes or in own lanes of a priority above 0.
create or replace function fairclaim.take_ranked(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_priorities smallint[],
  p_limit int,
  p_types text[],
  p_limited boolean,
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
  v_counts int[];
  t record;
begin
  select array_agg(p.t order by p.first), array_agg(p.k order by p.first) into v_tenants, v_counts
    from (select z.tenant_id t, count(*)::int k, min(z.seq) first
            from (select y.tenant_id, y.seq
                    from unnest(p_lanes, p_floors) u(l, f)
                   cross join lateral (
                     select y.tenant_id, y.seq from fairclaim.ready y
                      where y.lane_id = u.l and y.seq >= u.f
                        and (not p_limited or not exists (select from fairclaim.tenant_limit b where b.tenant_id = y.tenant_id))
                      order by y.lane_id, y.seq limit p_limit) y
                   order by y.seq limit p_limit) z
           group by z.tenant_id) p;
  if v_tenants is not null then
    t := fairclaim.take_highest(p_queue, p_types, p_lanes, p_priorities, 1, v_tenants, v_counts, p_limit);
    ids := t.ids; tenants := t.tenants; attempts := t.attempts; lefts := t.lefts; losts := t.losts;
  end if;
end
$$;

comment on function fairclaim.take_ranked(text, bigint[], bigint[], smallint[], int, text[], boolean) is
'Takes jobs out of shared lanes where priorities are in use: tenants by their place in line, and of each its highest jobs.';
