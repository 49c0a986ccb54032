-- Walks in steps, each in a subtransaction. They begin small and grow while they are fast, and all
-- of them together take 200 ms, or a quarter of a statement_timeout, so that a call makes progress
-- whatever time it is given. A step that fails is made smaller. One row that fails by itself (at a
-- trigger of the administrator, say) is noted in prune_fault and passed over for an hour, at most
-- 16 in a call. A range whose locks are not free is passed over in this round. What the server has
-- no means for (disk, memory) ends the call.
create or replace function fairclaim_internal.prune_walk(
  inout p_place fairclaim_internal.prune_place,
  p_now timestamptz,
  p_before timestamptz,
  p_end uuid,
  out deleted bigint,
  out passed_over int
)
language plpgsql
as $$
declare
  v_timeout interval := nullif(current_setting('statement_timeout')::interval, '0');
  v_budget interval := least(interval '200 ms', v_timeout / 4);
  v_size int := case when v_timeout < interval '2 s' then 50 else 500 end;
  v_faults uuid[] := array(
    select prune_fault.id from prune_fault
     where prune_fault.at between p_now - interval '1 hour' and p_now);
  v_last timestamptz := fairclaim.clock();
  v_end timestamptz := v_last + v_budget;
  v_piece record;
  v_step record;
  v_at uuid;
begin
  deleted := 0;
  passed_over := 0;
  p_place.ended := false;
  for v_n in 1 .. 400 loop
    select * into v_piece from prune_piece(p_place, p_now, p_end);
    if v_piece.starts_at is null then
      p_place.ended := true;
      exit;
    end if;
    begin
      select * into v_step
        from prune_step(
          v_piece.starts_at, v_piece.from_id, v_piece.to_id, p_before, v_size, v_faults);
      v_at := case when v_step.looked < v_size then v_piece.to_id else v_step.last end;
      deleted := deleted + v_step.deleted;
      p_place.left_since := least(p_place.left_since, v_step.left_since);
      v_size := case when fairclaim.clock() - v_last < interval '30 ms' then least(v_size * 2, 5000)
                     else greatest(v_size / 2, 20) end;
    exception
      when lock_not_available or deadlock_detected or serialization_failure or undefined_table then
        v_at := v_piece.to_id;
        p_place.left_since := '-infinity';
      when others then
        if left(sqlstate, 2) in ('25', '53', '57', '58', 'XX') then
          raise;
        end if;
        v_at := v_piece.from_id;
        if v_size = 1 then
          v_at := note_prune_fault(v_piece.starts_at, v_piece.from_id, sqlstate);
          passed_over := passed_over + 1;
        end if;
        v_size := greatest(v_size / 4, 1);
    end;
    if v_piece.is_ahead then
      p_place.ahead := v_at;
    else
      p_place.place := v_at;
    end if;
    v_last := fairclaim.clock();
    exit when passed_over = 16 or v_last not between v_end - v_budget and v_end;
  end loop;
end
$$;

comment on function fairclaim_internal.prune_walk(fairclaim_internal.prune_place, timestamptz,
    timestamptz, uuid) is
'Walks finished jobs from a place on, for a short time, and deletes those that ended before a time. passed_over: how many could not be deleted.';
