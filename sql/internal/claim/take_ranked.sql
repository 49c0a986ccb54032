-- As take_shared, for a queue in which priorities are in use. The places in line tell whose turn it
-- is, whatever the priorities; at its turn a tenant gives its highest job, in shared lanes or in
-- own lanes of a priority above 0.
create or replace function fairclaim_internal.take_ranked(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_priorities smallint[],
  p_limit int,
  p_types text[],
  p_limited boolean,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
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
                        and (not p_limited or not exists (
                               select from tenant_limit
                                where tenant_limit.tenant_id = ready.tenant_id))
                      order by ready.lane_id, ready.seq limit p_limit) waiting
                   order by waiting.seq limit p_limit) oldest
           group by oldest.tenant_id) part;
  if v_tenants is not null then
    select taken.jobs into jobs
      from take_highest(p_queue, p_types, p_lanes, p_priorities, 1, v_tenants, v_counts,
             p_limit) taken;
  end if;
end
$$;

comment on function fairclaim_internal.take_ranked(text, bigint[], bigint[], smallint[], int,
    text[], boolean) is
'Takes jobs out of shared lanes where priorities are in use: tenants by their place in line, and of each its highest jobs.';
