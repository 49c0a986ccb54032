-- The job that a step would take first: the one at which a slice of one has failed. The same order and the same locks as the step's own.
create or replace function fairclaim_internal.first_job(p_step text, p_state fairclaim_internal.tick_state, p_skip uuid[]) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  case p_step
    when 'promote' then
      select s.id into v_id from scheduled s
       where s.run_at >= p_state.sched_floor and s.run_at <= p_state.at and s.id <> all (p_skip)
       order by s.run_at, s.id limit 1 for update skip locked;
    when 'return' then
      select r.id into v_id from running r
       where r.lease_expires_at < p_state.at and r.id <> all (p_skip)
       order by r.lease_expires_at, r.id limit 1 for update skip locked;
    when 'cancel' then
      select c.id into v_id from cancel_request c
       where c.id <> all (p_skip) and not exists (select from running r where r.id = c.id offset 0)
       order by c.request_id limit 1;
    when 'renew' then
      select z.id into v_id
        from (select x.lane_id, min(x.next_seq) as next_seq, max(x.end_seq) as upto from renewal x group by x.lane_id) x
       cross join lateral (
         select z.id from ready z
          where z.lane_id = x.lane_id and z.seq >= x.next_seq and z.seq < x.upto and z.id <> all (p_skip)
          order by z.lane_id, z.seq limit 1 for update skip locked) z
       limit 1;
    when 'limits' then
      select y.id into v_id
        from lane l
       cross join lateral (
         select y.id from ready y
          where y.lane_id = l.lane_id and y.seq >= l.floor and y.id <> all (p_skip)
            and exists (select from tenant_limit b where b.tenant_id = y.tenant_id)
          order by y.lane_id, y.seq limit 1) y
       where l.tenant_id is null and l.lane_id > p_state.shared_slice
       order by l.lane_id limit 1;
    when 'sweep' then
      select y.id into v_id from ready y
       where y.lane_id > p_state.sweep and y.id <> all (p_skip)
         and not exists (select from lane l where l.lane_id = y.lane_id offset 0)
       order by y.lane_id, y.seq limit 1 for update skip locked;
    else
      null;                                   -- the others take no jobs
  end case;
  return v_id;
end
$$;

comment on function fairclaim_internal.first_job(text, fairclaim_internal.tick_state, uuid[]) is 'The job that a step of tick would take first.';
