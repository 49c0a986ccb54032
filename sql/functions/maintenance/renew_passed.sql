-- Rows that a transaction left below the floor of a shared lane, because tick had passed it, get a fresh number in the same lane.
-- Eight ranges a call, at random, so that one with a locked row does not stop the others. Numbers are shared by all lanes: with
-- n lanes to renew a range of 25,000 x n numbers holds about 25,000 rows of one lane, and that bounds the work.
create or replace function fairclaim.renew_passed() returns int
language plpgsql
as $$
declare
  v_n int;
  v_width bigint;
  v_part tid[];
begin
  select 25000 * count(*), (array_agg(x.ctid order by random()))[1:8] into v_width, v_part from fairclaim.renewal x;
  if v_width = 0 then
    return 0;
  end if;
  with part as materialized (
    select x.lane_id, x.next_seq, least(x.next_seq + v_width, x.end_seq) upto
      from fairclaim.renewal x where x.ctid = any (v_part)),
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

  update fairclaim.renewal x set next_seq = least(x.next_seq + v_width, x.end_seq)
   where x.ctid = any (v_part)
     and not exists (
       select from fairclaim.ready y
        where y.lane_id = x.lane_id and y.seq >= x.next_seq and y.seq < least(x.next_seq + v_width, x.end_seq));
  delete from fairclaim.renewal x where x.next_seq >= x.end_seq;
  return v_n;
end
$$;

comment on function fairclaim.renew_passed() is
'Gives rows below the floor of a shared lane a fresh number, so that claims see them. Returns how many.';
