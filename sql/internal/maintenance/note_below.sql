-- Notes for renewal the lanes in which a row waits below the floor, above a number. It notes only
-- those where it sees such a row: the transactions that left rows there have ended, so their rows
-- are seen. Most lanes have none, and nothing is written for them.
create or replace function fairclaim_internal.note_below(p_above bigint, p_all boolean) returns void
language sql volatile
as $$
  insert into fairclaim_internal.renewal (lane_id, next_seq, end_seq)
  select lane.lane_id, p_above + 1, lane.floor
    from fairclaim_internal.lane
   where (p_all or lane.tenant_id is null) and lane.floor > p_above + 1
     and exists (
           select from fairclaim_internal.ready
            where ready.lane_id = lane.lane_id and ready.seq > p_above and ready.seq < lane.floor
           offset 0)
     and not exists (
           select from fairclaim_internal.renewal
            where renewal.lane_id = lane.lane_id and renewal.next_seq <= p_above + 1
              and renewal.end_seq >= lane.floor)
$$;

comment on function fairclaim_internal.note_below(bigint, boolean) is
'Notes the shared lanes, or all, in which rows with numbers above this one wait below the floor.';
