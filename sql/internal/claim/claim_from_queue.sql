-- One queue's part of a claim, in four steps: shared lanes, for at most three quarters while own
-- lanes exist (a claim of one: three of four); own lanes in turn, a window at a time; what is left,
-- by weight, from those that gave their whole quantum; shared lanes for the rest. p_pos, p_used,
-- p_shared are this queue's part of the cursor and come back moved on.
-- p_taken: the jobs that this call took in other queues, for the limits of their tenants. p_alone:
-- only jobs that are to run alone.
create or replace function fairclaim_internal.claim_from_queue(
  p_queue text,
  p_limit int,
  p_types text[],
  p_limited boolean,
  p_alone boolean,
  inout p_pos bigint,
  inout p_used int,
  inout p_shared int,
  p_taken fairclaim_internal.ready[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_priorities smallint[];
  v_own boolean := false;
  v_ranked boolean := false;                  -- some lane has a priority that counts
  v_share int;                                -- what the shared lanes may give at first
  v_any boolean;                              -- whether the queue has shared lanes
  v_more boolean := false;                    -- whether they may have more than their share
  v_got int := 0;
  v_from_shared boolean := false;
  v_own_part record;
begin
  if p_limited then
    p_limit := room_in_queue(p_queue, p_limit);
    if p_limit = 0 then
      return;
    end if;
  end if;
  if p_alone then
    select array_agg(lane.lane_id), array_agg(lane.floor) into v_lanes, v_floors from lane
     where lane.alone and lane.queue = p_queue and (p_types is null or lane.type = any (p_types));
  else
    select exists (select from lane where lane.walked and lane.queue = p_queue),
           exists (select from lane where lane.queue = p_queue
                      and (lane.priority > 0 or lane.priority < 0 and lane.tenant_id is null)),
           exists (select from lane
                    where lane.tenant_id is null and not lane.alone and lane.queue = p_queue)
      into v_own, v_ranked, v_any;
    if v_any then
      select array_agg(lane.lane_id), array_agg(lane.floor), array_agg(lane.priority)
        into v_lanes, v_floors, v_priorities from lane
       where lane.tenant_id is null and not lane.alone and lane.queue = p_queue
         and (p_types is null or lane.type = any (p_types));
    end if;
  end if;
  v_share := case when v_lanes is null then 0
                  when not v_own then p_limit
                  when p_limit > 1 then p_limit - (p_limit + 3) / 4
                  when p_shared < 3 then 1
                  else 0 end;

  if p_alone and p_limited then
    jobs := take_bounded(p_queue, v_lanes, v_floors, p_limit, p_taken, null, p_taken is null);
    return;
  end if;
  if v_share > 0 then
    if v_ranked then
      jobs := take_ranked(p_queue, v_lanes, v_floors, v_priorities, v_share, p_types, p_limited,
        p_taken, null);
    elsif p_limited then
      jobs := take_bounded(p_queue, v_lanes, v_floors, v_share, p_taken, null, false);
    else
      jobs := take_shared(v_lanes, v_floors, v_share, false);
    end if;
    v_got := coalesce(cardinality(jobs), 0);
    v_from_shared := v_got > 0;
    v_more := v_got >= v_share or v_ranked or cardinality(v_lanes) > 1 or p_limited and v_got = 0;
  else
    v_more := v_lanes is not null;
  end if;

  if v_own and v_got < p_limit then
    v_own_part := claim_own(p_queue, p_limit - v_got, p_types, p_limited, p_pos, p_used,
      p_taken, jobs, case when v_ranked then v_lanes end, v_priorities);
    jobs := jobs || v_own_part.jobs;
    v_got := coalesce(cardinality(jobs), 0);
    p_pos := v_own_part.p_pos;
    p_used := v_own_part.p_used;
  end if;

  if v_more and v_ranked and v_got < p_limit then
    jobs := jobs || take_ranked(p_queue, v_lanes, v_floors, v_priorities, p_limit - v_got,
      p_types, p_limited, p_taken, jobs);
    v_got := coalesce(cardinality(jobs), 0);
  end if;
  -- also without own lanes: rows that were counted may be locked, or of tenants at a limit. With
  -- priorities only a call that has nothing takes what is there.
  if v_more and v_got < p_limit and (v_got = 0 or not v_ranked) then
    jobs := jobs || case
      when p_limited
        then take_bounded(p_queue, v_lanes, v_floors, p_limit - v_got, p_taken, jobs,
               jobs is null and p_taken is null)
      else take_shared(v_lanes, v_floors, p_limit - v_got, true) end;
  end if;
  p_shared := case when p_limit = 1 and v_from_shared then least(3, p_shared + 1) else 0 end;
end
$$;

comment on function fairclaim_internal.claim_from_queue(text, int, text[], boolean, boolean, bigint,
    int, int, fairclaim_internal.ready[]) is
'Takes up to p_limit jobs of one queue out of `ready`: shared lanes and own lanes, fairly.';
