-- One queue's part of a claim. Four steps: shared lanes, for at most three quarters while own lanes exist (a claim of one: three of
-- four); own lanes in turn, a window at a time; what is left by weight from those that gave their whole quantum; shared lanes
-- for the rest. p_pos, p_used, p_shared are this queue's part of the cursor and come back moved on.
-- p_taken: the tenants of the jobs that this call took in other queues, for their limits. p_alone: only jobs that are to run alone.
create or replace function fairclaim.claim_from_queue(
  p_queue text,
  p_limit int,
  p_types text[],
  p_limited boolean,
  p_alone boolean,
  inout p_pos bigint,
  inout p_used int,
  inout p_shared int,
  p_taken uuid[],
  out ids uuid[],
  out tenants uuid[],
  out attempts int[],
  out lefts smallint[],
  out losts smallint[]
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
  t record;
begin
  if p_alone then
    select array_agg(l.lane_id), array_agg(l.floor) into v_lanes, v_floors
      from fairclaim.lane l where l.alone and l.queue = p_queue and (p_types is null or l.type = any (p_types));
  else
    select exists (select from fairclaim.lane o where o.tenant_id is not null and o.queue = p_queue),
           exists (select from fairclaim.lane o where o.queue = p_queue and (o.priority > 0 or o.priority < 0 and o.tenant_id is null)),
           exists (select from fairclaim.lane o where o.tenant_id is null and not o.alone and o.queue = p_queue)
      into v_own, v_ranked, v_any;
    if v_any then
      select array_agg(l.lane_id), array_agg(l.floor), array_agg(l.priority) into v_lanes, v_floors, v_priorities
        from fairclaim.lane l
       where l.tenant_id is null and not l.alone and l.queue = p_queue and (p_types is null or l.type = any (p_types));
    end if;
  end if;
  v_share := case when v_lanes is null then 0
                  when not v_own then p_limit
                  when p_limit > 1 then p_limit - (p_limit + 3) / 4
                  when p_shared < 3 then 1
                  else 0 end;

  if p_alone and p_limited then
    t := fairclaim.take_alone(v_lanes, v_floors, p_taken);
    ids := t.ids; tenants := t.tenants; attempts := t.attempts; lefts := t.lefts; losts := t.losts;
    return;
  end if;
  if v_share > 0 then
    if v_ranked then
      t := fairclaim.take_ranked(p_queue, v_lanes, v_floors, v_priorities, v_share, p_types, p_limited);
    else
      t := fairclaim.take_shared(v_lanes, v_floors, v_share, p_limited, false);
    end if;
    ids := t.ids; tenants := t.tenants; attempts := t.attempts; lefts := t.lefts; losts := t.losts;
    v_got := coalesce(cardinality(ids), 0);
    v_from_shared := v_got > 0;
    v_more := v_got >= v_share or v_ranked or cardinality(v_lanes) > 1;
  else
    v_more := v_lanes is not null;
  end if;

  if v_own and v_got < p_limit then
    t := fairclaim.claim_own(p_queue, p_limit - v_got, p_types, p_limited, p_pos, p_used, p_taken || tenants,
      case when v_ranked then v_lanes end, v_priorities);
    ids := ids || t.ids; tenants := tenants || t.tenants; attempts := attempts || t.attempts;
    lefts := lefts || t.lefts; losts := losts || t.losts;
    v_got := coalesce(cardinality(ids), 0);
    p_pos := t.p_pos; p_used := t.p_used;
  end if;

  if v_more and v_ranked and v_got < p_limit then
    t := fairclaim.take_ranked(p_queue, v_lanes, v_floors, v_priorities, p_limit - v_got, p_types, p_limited);
    ids := ids || t.ids; tenants := tenants || t.tenants; attempts := attempts || t.attempts;
    lefts := lefts || t.lefts; losts := losts || t.losts;
    v_got := coalesce(cardinality(ids), 0);
  end if;
  -- also without own lanes: rows that were counted may be locked. With priorities only a call that has nothing takes what is there.
  if v_more and v_got < p_limit and (v_got = 0 or not v_ranked) then
    t := fairclaim.take_shared(v_lanes, v_floors, p_limit - v_got, p_limited, true);
    ids := ids || t.ids; tenants := tenants || t.tenants; attempts := attempts || t.attempts;
    lefts := lefts || t.lefts; losts := losts || t.losts;
  end if;
  p_shared := case when p_limit = 1 and v_from_shared then least(3, p_shared + 1) else 0 end;
end
$$;

comment on function fairclaim.claim_from_queue(text, int, text[], boolean, boolean, bigint, int, int, uuid[]) is
'Takes up to p_limit jobs of one queue out of `ready`: shared lanes and own lanes, fairly.';
