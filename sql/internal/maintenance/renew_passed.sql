-- Rows that a transaction left below the floor of a lane, because tick had passed it, get a fresh number in the same lane. Bounded by
-- rows: an empty stretch costs a look into the index, so all ranges are looked at (at most 4,000, at random), a million numbers of each; a
-- range with a locked row stays and stops no other. Lock order: renewal (skip locked) -> ready (skip locked).
create or replace function fairclaim_internal.renew_passed(p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_part bigint[];
  v_n int;
begin
  v_part := array(
    select z.renewal_id from renewal z
     where z.renewal_id = any (array(select x.renewal_id from renewal x order by random() limit 4000)) for update skip locked);
  if v_part = '{}' then
    return 0;
  end if;
  with part as materialized (
    select x.lane_id, min(x.next_seq) as next_seq, max(least(x.next_seq + 1000000, x.end_seq)) as upto
      from renewal x where x.renewal_id = any (v_part) group by x.lane_id),
  gone as (
    delete from ready y
     where y.ctid = any (array(
       select z.c from part
        cross join lateral (
          select z.ctid c from ready z
           where z.lane_id = part.lane_id and z.seq >= part.next_seq and z.seq < part.upto and z.id <> all (p_skip)
           order by z.lane_id, z.seq limit p_size for update skip locked) z
        limit p_size))
    returning y.*)
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select g.lane_id, g.id, g.tenant_id, g.attempts, g.attempts_left, g.lost from gone g order by g.seq;
  get diagnostics v_n = row_count;

  with part as materialized (
    select x.renewal_id, x.next_seq, x.end_seq, coalesce(y.seq, least(x.next_seq + 1000000, x.end_seq)) as upto
      from renewal x
      left join lateral (
        select y.seq from ready y
         where y.lane_id = x.lane_id and y.seq >= x.next_seq and y.seq < least(x.next_seq + 1000000, x.end_seq)
         order by y.lane_id, y.seq limit 1) y on true
     where x.renewal_id = any (v_part)),
  done as (
    delete from renewal x where x.renewal_id = any (array(select part.renewal_id from part where part.upto >= part.end_seq)))
  update renewal x set next_seq = part.upto
    from part where x.renewal_id = part.renewal_id and part.upto > part.next_seq and part.upto < part.end_seq;
  return v_n;
end
$$;

comment on function fairclaim_internal.renew_passed(int, uuid[]) is
'Gives rows below the floor of a lane a fresh number, so that claims see them. Returns how many.';
