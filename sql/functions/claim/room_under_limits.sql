-- Cuts quanta to the room under the tenants' limits. First the limit rows of tenants with work and room are locked (at most
-- p_limit, in tenant order, skip locked); then, in a new statement with a new snapshot, their running jobs are counted, and
-- with them what this call has taken already. A limit that tick has not activated yet gives no room.
create or replace function fairclaim.room_under_limits(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_tenants uuid[],
  p_quanta int[],
  p_limit int,
  p_taken uuid[]
) returns int[]
language plpgsql
as $$
declare
  v_locked uuid[];
  v_quanta int[];
begin
  select array_agg(z.t) into v_locked
    from (select b.tenant_id t from fairclaim.tenant_limit b
           where b.tenant_id = any (array(
             select x.t from unnest(p_tenants, p_turns) with ordinality x(t, u, o)
               join fairclaim.tenant_limit b2 on b2.tenant_id = x.t and b2.active
              where (select count(*) from fairclaim.running g where g.limited and g.tenant_id = x.t) < b2.max_running
                and exists (select from fairclaim.lane l
                             cross join lateral (
                               select from fairclaim.ready y where y.lane_id = l.lane_id and y.seq >= l.floor limit 1) y
                             where l.tenant_id is not null and l.queue = p_queue and l.turn = x.u
                               and (p_types is null or l.type = any (p_types)))
              order by x.o limit p_limit))
           order by b.tenant_id for update skip locked) z;
  select array_agg(case when b.max_running is null then x.k
                        when x.t = any (v_locked) and b.active then
                          greatest(0, least(x.k, b.max_running - r.c - coalesce(cardinality(array_positions(p_taken, x.t)), 0)))
                        else 0 end order by x.o)
    into v_quanta
    from unnest(p_tenants, p_quanta) with ordinality x(t, k, o)
    left join fairclaim.tenant_limit b on b.tenant_id = x.t
    left join lateral (
      select count(*)::int c from fairclaim.running g where g.limited and g.tenant_id = x.t and b.tenant_id is not null) r on true;
  return v_quanta;
end
$$;

comment on function fairclaim.room_under_limits(text, text[], bigint[], uuid[], int[], int, uuid[]) is
'How many jobs each tenant may give under its limit of running jobs.';
