-- The step `quotas` of a tick: at most 200 tenants and about 4 times p_size rows a call, those that
-- were counted longest ago first. Locks rows of waiting_count and of quota_place (skip locked):
-- only a tick has them, and one that was passed may still.
create or replace function fairclaim_internal.count_waiting(
  p_state fairclaim_internal.tick_state,
  p_size int
) returns int
language plpgsql
as $$
declare
  v_place quota_place;
  v_count waiting_count;
  v_looked int := 0;
  v_result record;
begin
  select * into v_place from quota_place for update skip locked;
  if not found then
    return 0;
  end if;
  v_place.lane := find_counted(v_place, p_state.at, p_size);
  v_place := note_delayed(v_place, p_size);
  for v_count in
    select * from waiting_count
     order by waiting_count.counted_at, waiting_count.tenant_id limit 200 for update skip locked
  loop
    select * into v_result
      from count_one(v_count, p_state.mark,
             (select quota.max_waiting + quota.max_waiting / 16 + 1000
                from quotas_of(v_count.tenant_id, v_count.queue) quota
               where quota.queue = v_count.queue),
             p_size) counted;
    v_looked := v_looked + v_result.looked;
    v_count := v_result.p_count;
    update waiting_count
       set jobs = v_count.jobs, mark = v_count.mark, counted_at = p_state.at,
           pass_jobs = v_count.pass_jobs, pass_added = v_count.pass_added,
           pass_mark = v_count.pass_mark, pass_lane = v_count.pass_lane,
           pass_seq = v_count.pass_seq
     where waiting_count.tenant_id = v_count.tenant_id
       and waiting_count.queue = v_count.queue;
    exit when v_looked >= p_size * 4;
  end loop;
  update quota_place
     set lane = v_place.lane, fresh = v_place.fresh, delayed = v_place.delayed,
         kept_tenant = v_place.kept_tenant, kept_id = v_place.kept_id
   where quota_place is distinct from v_place;
  return v_looked;
end
$$;

comment on function fairclaim_internal.count_waiting(fairclaim_internal.tick_state, int) is
'Counts what waits of tenants with quotas, a slice. Returns how many rows it counted.';
