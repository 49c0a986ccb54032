-- Reads one sequence (settle_and_claim does the same in place). drop_ranges() and prune() note when
-- they begin, so of a fleet the first worker that hears of it goes; one that stops on the way is
-- followed by another a minute later. A time ahead of the clock comes from a clock that was wrong.
create or replace function fairclaim_internal.is_prune_due(p_now timestamptz, p_active boolean)
returns boolean
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
begin
  return coalesce(pg_sequence_last_value('pruned_at'), 0)
         not between v_ms - case when p_active then 60000 else 600000 end and v_ms;
end
$$;

comment on function fairclaim_internal.is_prune_due(timestamptz, boolean) is
'Whether it is time to prune: once a minute, or once in ten minutes while nothing happens.';
