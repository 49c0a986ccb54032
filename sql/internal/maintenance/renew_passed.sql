-- Rows that a transaction left below the floor of a lane, because tick had passed it, get a fresh
-- number in the same lane. The work is bounded by rows. An empty stretch costs a look into the
-- index, so all ranges are looked at (at most 4,000, at random), a million numbers of each. A range
-- with a locked row stays, and stops no other. Lock order: renewal (skip locked) -> ready (skip
-- locked).
create or replace function fairclaim_internal.renew_passed(p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_part bigint[];
  v_count int;
begin
  v_part := array(
    select renewal.renewal_id from renewal
     where renewal.renewal_id = any (array(
       select drawn.renewal_id from renewal drawn order by random() limit 4000))
       for update skip locked);
  if v_part = '{}' then
    return 0;
  end if;
  with stretch as materialized (
    select renewal.lane_id, min(renewal.next_seq) as next_seq,
           max(least(renewal.next_seq + 1000000, renewal.end_seq)) as end_seq
      from renewal where renewal.renewal_id = any (v_part) group by renewal.lane_id),
  gone as (
    delete from ready
     where ready.ctid = any (array(
       select below.place from stretch
        cross join lateral (
          select passed.ctid as place from ready passed
           where passed.lane_id = stretch.lane_id and passed.seq >= stretch.next_seq
             and passed.seq < stretch.end_seq and passed.id <> all (p_skip)
           order by passed.lane_id, passed.seq limit p_size for update skip locked) below
        limit p_size))
    returning ready.*)
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select gone.lane_id, gone.id, gone.tenant_id, gone.attempts, gone.attempts_left, gone.lost,
         gone.watched
    from gone order by gone.seq;
  get diagnostics v_count = row_count;

  -- upto: the first row that is still there, or the end of what was looked at
  with stretch as materialized (
    select renewal.renewal_id, renewal.next_seq, renewal.end_seq,
           coalesce(oldest.seq, least(renewal.next_seq + 1000000, renewal.end_seq)) as upto
      from renewal
      left join lateral (
        select ready.seq from ready
         where ready.lane_id = renewal.lane_id and ready.seq >= renewal.next_seq
           and ready.seq < least(renewal.next_seq + 1000000, renewal.end_seq)
         order by ready.lane_id, ready.seq limit 1) oldest on true
     where renewal.renewal_id = any (v_part)),
  done as (
    delete from renewal
     where renewal.renewal_id = any (array(
       select stretch.renewal_id from stretch where stretch.upto >= stretch.end_seq)))
  update renewal set next_seq = stretch.upto
    from stretch
   where renewal.renewal_id = stretch.renewal_id
     and stretch.upto > stretch.next_seq and stretch.upto < stretch.end_seq;
  return v_count;
end
$$;

comment on function fairclaim_internal.renew_passed(int, uuid[]) is
'Gives rows below the floor of a lane a fresh number, so that claims see them. Returns how many.';
