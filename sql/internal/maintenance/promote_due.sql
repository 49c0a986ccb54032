-- Due jobs into lanes, a slice. Starts behind the dead prefix of what was promoted before.
create or replace function fairclaim_internal.promote_due(p_now timestamptz, p_floor timestamptz, p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  with gone as (
    delete from scheduled s
     where s.ctid = any (array(
       select z.ctid from scheduled z
        where z.run_at >= p_floor and z.run_at <= p_now and z.id <> all (p_skip)
        order by z.run_at, z.id limit p_size for update skip locked))
    returning s.*)
  select array_agg(g.tenant_id order by g.run_at, g.id), array_agg(g.id order by g.run_at, g.id),
         array_agg(g.attempts order by g.run_at, g.id), array_agg(g.attempts_left order by g.run_at, g.id),
         array_agg(g.lost order by g.run_at, g.id)
    into v_tenants, v_ids, v_attempts, v_left, v_lost
    from gone g;
  if v_ids is null then
    return 0;
  end if;
  perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
  return cardinality(v_ids);
end
$$;

comment on function fairclaim_internal.promote_due(timestamptz, timestamptz, int, uuid[]) is 'Moves jobs whose time has come into lanes.';
