-- How many jobs each of these tenants may give under its limits, of as many as are wanted. First
-- the slots of claim_lock of those with work and room are locked until p_limit tenants have theirs
-- (skip locked: where another claim holds a slot, the next tenant is as good); then, in a new
-- statement with a new snapshot, their running jobs are counted, and with them what this call has
-- taken already: elsewhere in other queues, here in this one. So are their rates: what is left of
-- them is read, and charged when the claim is complete (charge_rates). A tenant without a limit or
-- a rate gives what is wanted. Where it is not known whether a tenant has work, p_turns tells its
-- place in the round, and its own lanes are looked at.
create or replace function fairclaim_internal.room_under_limits(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_tenants uuid[],
  p_wanted int[],
  p_limit int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[]
) returns int[]
language plpgsql
as $$
declare
  v_group int := lane_group(p_queue);
  v_elsewhere uuid[] := array(select taken.tenant_id from unnest(p_elsewhere) taken);
  v_here uuid[] := array(select taken.tenant_id from unnest(p_here) taken);
  v_default record := default_limits(p_queue);
  v_totals int[];
  v_heres int[];
  v_slots int[];
  v_now timestamptz;
  v_rated boolean[];                          -- whose rates count
begin
  if v_default.is_any_own then
    select array_agg(bound.total order by visit.ordinal),
           array_agg(bound.here order by visit.ordinal)
      into v_totals, v_heres
      from unnest(p_tenants) with ordinality visit(tenant_id, ordinal)
     cross join lateral limits_of(visit.tenant_id, p_queue, v_default.total, v_default.here) bound;
  else
    v_totals := array_fill(v_default.total, array[cardinality(p_tenants)]);
    v_heres := array_fill(v_default.here, array[cardinality(p_tenants)]);
  end if;
  if v_default.is_rate then
    v_rated := array_fill(true, array[cardinality(p_tenants)]);
  elsif v_default.is_own_rate then
    v_rated := array(
      select exists (select from running_limit own
                      where own.tenant_id = visit.tenant_id and own.units is not null)
        from unnest(p_tenants) with ordinality visit(tenant_id, ordinal) order by visit.ordinal);
  end if;
  if true = any (v_rated) then
    v_now := fairclaim.clock();
  elsif num_nonnulls(variadic v_totals) + num_nonnulls(variadic v_heres) = 0 then
    return p_wanted;
  end if;
  v_slots := array(
    select locked.slot
      from (select lock_slot(visit.tenant_id) as slot
              from unnest(p_tenants, p_wanted, v_totals, v_heres, v_rated) with ordinality
                   visit(tenant_id, wanted, total, here, is_rated, ordinal)
             cross join lateral (
               select count(*) as total,
                      count(*) filter (where running.queue_group = v_group) as here
                 from running
                where running.limited and running.tenant_id = visit.tenant_id
                  and coalesce(visit.total, visit.here) is not null) held
             where visit.wanted > 0
               and (visit.is_rated or coalesce(visit.total, visit.here) is not null)
               and (visit.total is null or held.total < visit.total)
               and (visit.here is null or held.here < visit.here)
               and case when visit.is_rated
                        then (select room.jobs
                                from room_under_rates(
                                       visit.tenant_id, p_queue, v_group, v_now) room)
                             is distinct from 0 else true end
               and (p_turns is null or exists (
                      select from lane
                       cross join lateral (
                         select from ready
                          where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                          limit 1) waiting
                       where lane.walked and lane.queue = p_queue
                         and lane.turn = p_turns[visit.ordinal]
                         and (p_types is null or lane.type = any (p_types))))
             order by visit.ordinal) wanted
     cross join lateral (
       select claim_lock.slot from claim_lock
        where claim_lock.slot = wanted.slot for update skip locked) locked
     limit p_limit);
  return array(
    select case when visit.is_rated is not true and coalesce(visit.total, visit.here) is null
                then visit.wanted
                when visit.wanted = 0 or lock_slot(visit.tenant_id) <> all (v_slots) then 0
                else greatest(0, least(visit.wanted,
                  visit.total - held.total - taken.here - taken.elsewhere,
                  visit.here - held.here - taken.here,
                  case when visit.is_rated
                       then (select room.jobs
                               from room_under_rates(visit.tenant_id, p_queue, v_group, v_now) room)
                            - taken.here - taken.elsewhere end)) end
      from unnest(p_tenants, p_wanted, v_totals, v_heres, v_rated) with ordinality
           visit(tenant_id, wanted, total, here, is_rated, ordinal)
     cross join lateral (
       select count(*)::int as total,
              (count(*) filter (where running.queue_group = v_group))::int as here
         from running
        where running.limited and running.tenant_id = visit.tenant_id
          and coalesce(visit.total, visit.here) is not null
          and lock_slot(visit.tenant_id) = any (v_slots)) held
     cross join lateral (
       select coalesce(cardinality(array_positions(v_here, visit.tenant_id)), 0) as here,
              coalesce(cardinality(array_positions(v_elsewhere, visit.tenant_id)), 0)
                as elsewhere) taken
     order by visit.ordinal);
end
$$;

comment on function fairclaim_internal.room_under_limits(text, text[], bigint[], uuid[], int[],
    int, fairclaim_internal.ready[], fairclaim_internal.ready[]) is
'How many jobs each tenant may give under its limits of running jobs.';
