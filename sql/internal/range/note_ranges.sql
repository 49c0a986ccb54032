-- Two sequences tell dispatch between which times it need not look at id_range. What is noted must
-- be committed, or be made by a migration before any client can dispatch. Nothing is noted while
-- the time lies in no range: what was noted stays true.
create or replace function fairclaim_internal.note_ranges(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_start bigint;
  v_end bigint;
begin
  select millis(block.starts_at), millis(block.ends_at) into v_start, v_end
    from range_block(p_now) block;
  if v_start is distinct from coalesce(pg_sequence_last_value('range_start'), 0) then
    perform setval('range_start', v_start);
  end if;
  if v_end is distinct from coalesce(pg_sequence_last_value('range_end'), 0) then
    perform setval('range_end', v_end);
  end if;
end
$$;

comment on function fairclaim_internal.note_ranges(timestamptz) is
'Notes in two sequences how far the ranges of ids reach around a time.';
