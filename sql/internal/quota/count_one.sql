-- Goes on with the count of one tenant, in one queue or in all: what came after the last mark is
-- added, and the pass that counts all of it again goes on by p_size rows. A pass ends with the last
-- row, or a little above the quota, so that a backlog far above it is never walked. Own lanes only:
-- a tenant has a handful of rows in shared ones.
create or replace function fairclaim_internal.count_one(
  inout p_count fairclaim_internal.waiting_count,
  p_mark bigint,
  p_most int,
  p_size int,
  out looked int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_added bigint;
  v_found record;
begin
  select array_agg(own.lane_id order by own.lane_id), array_agg(own.floor order by own.lane_id)
    into v_lanes, v_floors
    from (select lane.lane_id, lane.floor from lane
           where lane.tenant_id = p_count.tenant_id
             and (p_count.queue = '' or lane.queue = p_count.queue) offset 0) own;
  select count(*) into v_added
    from unnest(v_lanes, v_floors) own(lane_id, floor)
   cross join lateral (
     select from ready
      where ready.lane_id = own.lane_id and ready.seq > p_count.mark and ready.seq <= p_mark
        and ready.seq >= own.floor
      order by ready.lane_id, ready.seq limit p_most) fresh;
  select count(*)::int as rows, max(met.lane_id) as lane_id,
         (array_agg(met.seq order by met.lane_id desc, met.seq desc))[1] as seq
    into v_found
    from (select row_of.lane_id, row_of.seq
            from unnest(v_lanes, v_floors) own(lane_id, floor)
           cross join lateral (
             select ready.lane_id, ready.seq from ready
              where own.lane_id >= p_count.pass_lane
                and ready.lane_id = own.lane_id and ready.seq >= own.floor
                and ready.seq > case when own.lane_id = p_count.pass_lane
                                     then p_count.pass_seq else 0 end
                and ready.seq <= p_count.pass_mark
              order by ready.lane_id, ready.seq limit p_size) row_of
           limit p_size) met;
  looked := v_found.rows + v_added;
  p_count.jobs := p_count.jobs + v_added;
  p_count.pass_added := p_count.pass_added + v_added;
  p_count.pass_jobs := p_count.pass_jobs + v_found.rows;
  p_count.pass_lane := coalesce(v_found.lane_id, p_count.pass_lane);
  p_count.pass_seq := coalesce(v_found.seq, p_count.pass_seq);
  p_count.mark := p_mark;
  if v_found.rows < p_size or p_count.pass_jobs > p_most then
    p_count.jobs := p_count.pass_jobs + p_count.pass_added;
    p_count.pass_jobs := 0;
    p_count.pass_added := 0;
    p_count.pass_lane := 0;
    p_count.pass_seq := 0;
    p_count.pass_mark := p_mark;
  end if;
end
$$;

comment on function fairclaim_internal.count_one(fairclaim_internal.waiting_count, bigint, int,
    int) is
'Goes on with the count of what waits of one tenant in own lanes. Returns the count and how many rows it looked at.';
