-- As take_shared, for a queue in which priorities are in use. The places in line tell whose turn it
-- is, whatever the priorities; at its turn a tenant gives its highest job, in shared lanes or in
-- own lanes of a priority above 0. With limits, p_elsewhere and p_here are what the call has taken
-- already, and it looks further, since tenants without room are passed over.
create or replace function fairclaim_internal.take_ranked(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_priorities smallint[],
  p_limit int,
  p_types text[],
  p_limited boolean,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
  v_look int := case when p_limited then 2 * p_limit + 64 else p_limit end;
  v_tenants uuid[];
  v_counts int[];
begin
  select array_agg(part.tenant_id order by part.first_seq),
         array_agg(part.jobs order by part.first_seq)
    into v_tenants, v_counts
    from (select oldest.tenant_id, count(*)::int as jobs, min(oldest.seq) as first_seq
            from (select waiting.tenant_id, waiting.seq
                    from unnest(p_lanes, p_floors) shared(lane_id, floor)
                   cross join lateral (
                     select ready.tenant_id, ready.seq from ready
                      where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
                      order by ready.lane_id, ready.seq limit v_look) waiting
                   order by waiting.seq limit v_look) oldest
           group by oldest.tenant_id) part;
  if v_tenants is not null and p_limited then
    v_counts := room_under_limits(p_queue, null, null, v_tenants, v_counts, p_limit, p_elsewhere,
      p_here);
  end if;
  if v_tenants is not null then
    select taken.jobs into jobs
      from take_highest(p_queue, p_types, p_lanes, p_priorities, 1, v_tenants, v_counts,
             p_limit) taken;
  end if;
end
$$;

comment on function fairclaim_internal.take_ranked(text, bigint[], bigint[], smallint[], int,
    text[], boolean, fairclaim_internal.ready[], fairclaim_internal.ready[]) is
'Takes jobs out of shared lanes where priorities are in use: tenants by their place in line, and of each its highest jobs.';
