-- Rows that a transaction left below the floor of a shared lane, because tick had passed it, get a fresh number in the same lane.
-- At most 200,000 numbers a call, so the work is bounded; a row that is locked keeps its range for the next call.
create or replace function fairclaim.renew_passed() returns int
language plpgsql
as $$
declare
  v_n int;
begin
  if not exists (select from fairclaim.renewal) then
    return 0;
  end if;
  with part as materialized (
    select x.lane_id, x.next_seq, least(x.next_seq + 25000, x.end_seq) upto
      from fairclaim.renewal x order by x.lane_id, x.next_seq limit 8),
  gone as (
    delete from fairclaim.ready y
     where y.ctid = any (array(
       select z.c from part
        cross join lateral (
          select z.ctid c from fairclaim.ready z
           where z.lane_id = part.lane_id and z.seq >= part.next_seq and z.seq < part.upto
           order by z.lane_id, z.seq for update skip locked) z))
    returning y.*)
  insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select g.lane_id, g.id, g.tenant_id, g.attempts, g.attempts_left, g.lost from gone g order by g.seq;
  get diagnostics v_n = row_count;

  update fairclaim.renewal x set next_seq = least(x.next_seq + 25000, x.end_seq)
   where x.ctid = any (array(select z.ctid from fairclaim.renewal z order by z.lane_id, z.next_seq limit 8))
     and not exists (
       select from fairclaim.ready y
        where y.lane_id = x.lane_id and y.seq >= x.next_seq and y.seq < least(x.next_seq + 25000, x.end_seq));
  delete from fairclaim.renewal x where x.next_seq >= x.end_seq;
  return v_n;
end
$$;

comment on function fairclaim.renew_passed() is
'Gives rows below the floor of a shared lane a fresh number, so that claims see them. Returns how many.';
