-- Moves a slice of the jobs that are due into lanes. It starts behind the dead rows of what was
-- promoted before.
create or replace function fairclaim_internal.promote_due(
  p_now timestamptz,
  p_floor timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
begin
  with gone as (
    delete from scheduled
     where scheduled.ctid = any (array(
       select due.ctid from scheduled due
        where due.run_at >= p_floor and due.run_at <= p_now and due.id <> all (p_skip)
        order by due.run_at, due.id limit p_size for update skip locked))
    returning scheduled.*)
  select array_agg(gone.tenant_id order by gone.run_at, gone.id),
         array_agg(gone.id order by gone.run_at, gone.id),
         array_agg(gone.attempts order by gone.run_at, gone.id),
         array_agg(gone.attempts_left order by gone.run_at, gone.id),
         array_agg(gone.lost order by gone.run_at, gone.id),
         array_agg(gone.watched order by gone.run_at, gone.id)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from gone;
  if v_ids is null then
    return 0;
  end if;
  perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  return cardinality(v_ids);
end
$$;

comment on function fairclaim_internal.promote_due(timestamptz, timestamptz, int, uuid[]) is
'Moves jobs whose time has come into lanes.';
