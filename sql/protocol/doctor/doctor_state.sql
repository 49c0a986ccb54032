-- What `doctor` needs of tables that nobody but the owner reads: one row, no tenant, no payload. Reads small tables, and of
-- `running` (as many rows as jobs run) what has expired. Locks nothing. Ticks that had nothing to do left only their time, in a sequence.
create or replace function fairclaim.doctor_state() returns table (
  now_at timestamptz, ticked_at timestamptz, ticks bigint, safe_lag bigint, holders text[], holder_for float8[], ranges_end timestamptz,
  range_width float8, retention float8, overdue_since timestamptz, expired bigint, expired_since timestamptz, running bigint,
  seq_behind bigint, seq_mended_at timestamptz, working_xids text[], passed_ticks int
)
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  select x.now_at, greatest(t.at, r.at), t.n, t.mark - t.safe, t.holders,
         array(select date_part('epoch', x.now_at - h.since) from unnest(t.holder_at) with ordinality h(since, place) order by h.place),
         (select max(r.ends_at) from id_range r), date_part('epoch', greatest(interval '1 hour', s.retention / 4)),
         date_part('epoch', s.retention),
         (select min(r.ends_at) from id_range r where r.ends_at < x.now_at - s.retention), l.expired, l.expired_since, l.running,
         greatest(0, t.mark - coalesce(pg_sequence_last_value('ready_seq'), 0)), t.mended_at,
         array(select w.xid::text from ticks_at_work() w), cardinality(t.passed_slot)
    from (select fairclaim.clock() as now_at offset 0) x
   cross join newest_state() t
   cross join setting s
   cross join (select to_timestamp(pg_sequence_last_value('round_at') / 1000.0) as at offset 0) r
   cross join lateral (
     select count(*) filter (where g.lease_expires_at < x.now_at) as expired, min(g.lease_expires_at) as expired_since, count(*) as running
       from running g) l
   where t.n is not null
$$;

comment on function fairclaim.doctor_state() is
'The state of the maintenance, for `fairclaim doctor`: when a tick last looked at everything, how many numbers of `ready` open transactions hold back (safe_lag) and which of them (holders, as pg_locks.virtualtransaction, each with for how many seconds it has been seen), how far ranges of ids reach, since when retention is overdue, leases that expired and were not returned, by how much the numbers of waiting jobs are behind and when that was mended, the transactions of ticks that have not ended, and how many of those ticks others have passed. For operators and observers.';

grant execute on function fairclaim.doctor_state() to fairclaim_operator, fairclaim_observer;
