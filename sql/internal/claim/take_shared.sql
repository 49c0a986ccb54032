-- Locks and takes up to p_limit jobs from shared lanes, first come first served. Where there are
-- several lanes, it first looks, without a lock, which of the oldest rows stand in which lane, and
-- then locks exactly those. p_rest: takes what is left, the oldest lane first, for a second pass.
-- Where there are limits, take_bounded does it.
create or replace function fairclaim_internal.take_shared(
  p_lanes bigint[],
  p_floors bigint[],
  p_limit int,
  p_rest boolean,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_lanes bigint[] := p_lanes;
  v_floors bigint[] := p_floors;
  v_counts int[];
begin
  if cardinality(p_lanes) > 1 and not p_rest then
    select array_agg(part.lane_id), array_agg(part.first_seq), array_agg(part.jobs)
      into v_lanes, v_floors, v_counts
      from (select oldest.lane_id, min(oldest.seq) as first_seq, count(*)::int as jobs
              from (select shared.lane_id, waiting.seq
                      from unnest(p_lanes, p_floors) shared(lane_id, floor)
                     cross join lateral (
                       select ready.seq from ready
                        where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
                        order by ready.lane_id, ready.seq limit p_limit) waiting
                     order by waiting.seq limit p_limit) oldest
             group by oldest.lane_id) part;
    if v_lanes is null then
      return;
    end if;
  else
    v_counts := array_fill(p_limit, array[cardinality(p_lanes)]);
  end if;
  with taken as materialized (
    select waiting.place, waiting.job
      from unnest(v_lanes, v_floors, v_counts) shared(lane_id, floor, jobs)
     cross join lateral (
       select ready.ctid as place, ready as job from ready
        where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
        order by ready.lane_id, ready.seq limit shared.jobs for update skip locked) waiting
     limit p_limit),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array_agg(taken.job) into jobs from taken;
end
$$;

comment on function fairclaim_internal.take_shared(bigint[], bigint[], int, boolean) is
'Takes jobs out of shared lanes.';
