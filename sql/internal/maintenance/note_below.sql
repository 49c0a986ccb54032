-- Notes for renewal the lanes in which a row waits below the floor, above a number. Only those: who left rows there has ended, so they
-- are seen; most lanes have none, and nothing is written for them.
create or replace function fairclaim_internal.note_below(p_above bigint, p_all boolean) returns void
language sql volatile
as $$
  insert into fairclaim_internal.renewal (lane_id, next_seq, end_seq)
  select l.lane_id, p_above + 1, l.floor
    from fairclaim_internal.lane l
   where (p_all or l.tenant_id is null) and l.floor > p_above + 1
     and exists (select from fairclaim_internal.ready y where y.lane_id = l.lane_id and y.seq > p_above and y.seq < l.floor offset 0)
     and not exists (select from fairclaim_internal.renewal x where x.lane_id = l.lane_id and x.next_seq <= p_above + 1 and x.end_seq >= l.floor)
$$;

comment on function fairclaim_internal.note_below(bigint, boolean) is
'Notes the shared lanes, or all, in which rows with numbers above this one wait below the floor.';
