-- Locks exactly what is taken, and takes it out of `ready`. Each lane is probed once; inside a tenant higher priority first, then
-- the older lane. ordinals: which of the p_turns a row belongs to.
create or replace function fairclaim.take_own(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_quanta int[],
  p_limit int,
  out ordinals int[],
  out lanes bigint[],
  out ids uuid[],
  out tenants uuid[],
  out attempts int[],
  out lefts smallint[],
  out losts smallint[]
)
language plpgsql
as $$
begin
  with taken as materialized (
    select u.o::int o, y.*
      from unnest(p_turns, p_quanta) with ordinality u(turn, k, o)
     cross join lateral (
       select x.*
         from (select l.lane_id, l.floor from fairclaim.lane l
                where l.tenant_id is not null and l.queue = p_queue and l.turn = u.turn and (p_types is null or l.type = any (p_types))
                order by l.queue, l.turn, l.priority desc, l.lane_id) l2
        cross join lateral (
          select y.ctid c, y.* from fairclaim.ready y
           where y.lane_id = l2.lane_id and y.seq >= l2.floor
           order by y.lane_id, y.seq limit u.k for update skip locked) x
        limit u.k) y
     where u.k > 0
     limit p_limit),
  gone as (
    delete from fairclaim.ready y where y.ctid = any (array(select taken.c from taken)))
  select array_agg(taken.o), array_agg(taken.lane_id), array_agg(taken.id), array_agg(taken.tenant_id),
         array_agg(taken.attempts + 1), array_agg(taken.attempts_left), array_agg(taken.lost)
    into ordinals, lanes, ids, tenants, attempts, lefts, losts
    from taken;
end
$$;

comment on function fairclaim.take_own(text, text[], bigint[], int[], int) is 'Takes jobs out of own lanes, in turn.';
