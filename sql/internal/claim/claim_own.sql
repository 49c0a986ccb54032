-- Own lanes, weighted round robin over tenants by turn, after the cursor. The first window has as
-- many tenants as are to give something, and a quarter more, since some give nothing; each lane is
-- probed once. The second window is three times as wide, and each later one four times as wide as
-- the one before, while own lanes gave nothing; windows grow on beyond v_far only while the whole
-- call has nothing at all. Then the rest is taken, by weight, from those that gave their whole
-- quantum. With types, the first window is that of all types, and the later ones walk by type. The
-- cursor's tenant is visited once in a pass: its rows are not locked against this claim itself, so
-- a second visit in the same statement would return them twice.
-- p_lanes, p_priorities: the shared lanes of the queue where priorities are in use, since a tenant
-- may have a higher job there; else null. p_elsewhere, p_here: the jobs that this call has already,
-- of other queues and of this one.
create or replace function fairclaim_internal.claim_own(
  p_queue text,
  p_limit int,
  p_types text[],
  p_limited boolean,
  inout p_pos bigint,
  inout p_used int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  p_lanes bigint[],
  p_priorities smallint[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_visits int := p_limit / greatest(1, p_limit / 64);    -- how many tenants are to give something
  v_walk int := v_visits + least(16, v_visits / 4 + 2);
  -- up to here windows grow, though the call has jobs from elsewhere
  v_far int := 4 * (p_limit + 16);
  v_wide boolean := false;                    -- behind the first window
  v_fill boolean := false;                    -- in the filling rounds
  v_end bigint;                           -- the last turn of a window that was not the whole round
  v_got int := 0;
  v_took int;
  v_last int;
  v_probed int;                               -- how many of the window's turns were probed
  v_turns bigint[];
  v_tenants uuid[];
  v_quanta int[];
  v_weights int[];
  v_full_turns bigint[];                      -- the tenants that gave their whole quantum
  v_full_tenants uuid[];
  v_full_weights int[];
  v_hinted boolean;
  v_window record;
  v_taken record;
begin
  loop
    if v_fill then
      v_turns := v_full_turns;
      v_tenants := v_full_tenants;
      v_weights := v_full_weights;
      v_quanta := quanta(v_weights, p_limit - v_got, true);
      v_full_turns := null;
      v_full_tenants := null;
      v_full_weights := null;
    else
      if v_wide and p_types is not null then  -- the types asked for are few of those that wait
        v_window := next_turns_by_type(p_queue, p_types, p_pos, p_used, v_walk);
      else
        v_window := next_turns(p_queue, p_pos, p_used, v_walk);
      end if;
      v_turns := v_window.turns;
      v_tenants := v_window.tenants;
      v_weights := v_window.weights;
      exit when v_turns is null;
      v_end := case when cardinality(v_turns) >= v_walk then v_turns[cardinality(v_turns)] end;
      v_quanta := quanta(v_weights, p_limit - v_got, v_end is null);
      if p_used > 0 and v_turns[1] = p_pos and v_weights[1] > p_used then
        v_quanta[1] := v_quanta[1] - p_used;
      end if;
    end if;
    v_last := cardinality(v_turns);
    if v_last > 1 and v_turns[v_last] = v_turns[1] then
      v_quanta[v_last] := 0;
    end if;
    if p_limited then
      v_quanta := room_under_limits(p_queue, p_types, v_turns, v_tenants, v_quanta,
        p_limit - v_got, p_elsewhere, p_here || jobs);
    end if;

    v_took := 0;
    if p_lanes is not null then
      v_taken := take_highest(p_queue, p_types, p_lanes, p_priorities, -100, v_tenants, v_quanta,
        p_limit - v_got);
      v_took := coalesce(cardinality(v_taken.jobs), 0);
    end if;
    if v_took = 0 then
      v_taken := take_own(p_queue, p_types, v_turns, v_quanta, p_limit - v_got);
      v_took := coalesce(cardinality(v_taken.jobs), 0);
    end if;
    v_probed := case when v_took < p_limit - v_got then cardinality(v_turns)
                     else v_taken.ordinals[v_took] end;
    v_hinted := leave_hints(p_queue, v_turns, v_probed, v_taken.ordinals, v_taken.jobs);
    if v_took > 0 then
      jobs := jobs || v_taken.jobs;
      v_got := v_got + v_took;
      v_last := v_taken.ordinals[v_took];
      -- no weight in effect is above 10,000, and a cursor's numbers stay short
      p_used := least(10000,
        case when v_turns[v_last] = p_pos and v_last = 1 then p_used else 0 end
          + cardinality(array_positions(v_taken.ordinals, v_last)));
      p_pos := v_turns[v_last];
      exit when v_got >= p_limit;
      select v_full_turns || array_agg(v_turns[gave.ordinal] order by gave.ordinal),
             v_full_tenants || array_agg(v_tenants[gave.ordinal] order by gave.ordinal),
             v_full_weights || array_agg(v_weights[gave.ordinal] order by gave.ordinal)
        into v_full_turns, v_full_tenants, v_full_weights
        from (select each.ordinal, count(*) as jobs
                from unnest(v_taken.ordinals) each(ordinal) group by each.ordinal) gave
       where gave.jobs >= v_quanta[gave.ordinal]
         and v_turns[gave.ordinal] <> all (coalesce(v_full_turns, '{}'));
    end if;

    if not v_fill and v_end is not null
       and (not v_wide
            or v_got = 0
               and (v_walk <= v_far or coalesce(cardinality(p_elsewhere || p_here), 0) = 0)) then
      v_walk := case when v_wide then v_walk * 4 else v_walk * 3 end;
      v_wide := true;
      p_pos := v_end;
      p_used := 0;
    elsif v_full_turns is not null then
      v_fill := true;
    else
      exit;
    end if;
  end loop;
  if v_end is not null and v_got < p_limit then
    p_pos := v_end;                           -- a partial round: go on behind the window next time
    p_used := 0;
  end if;
end
$$;

comment on function fairclaim_internal.claim_own(text, int, text[], boolean, bigint, int,
    fairclaim_internal.ready[], fairclaim_internal.ready[], bigint[], smallint[]) is
'Takes up to p_limit jobs out of the own lanes of a queue, tenants in turn by weight.';
