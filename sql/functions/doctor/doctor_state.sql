-- What `doctor` needs of tables that nobody but the owner reads: one row, no tenant, no payload. Reads small tables, and of
-- `running` (as many rows as jobs run) what has expired. Locks nothing.
create or replace function fairclaim.doctor_state() returns table (
  now_at timestamptz, ticked_at timestamptz, ticks bigint, safe_lag bigint, holders text[], holder_ticks bigint[], ranges_end timestamptz,
  range_width interval, retention interval, overdue_since timestamptz, expired bigint, expired_since timestamptz, running bigint
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set row_security = on
set jit = off
as $$
  select x.now_at, t.reaped_at, t.n, t.mark - t.safe, t.holders, array(select t.n - u.n from unnest(t.holder_n) with ordinality u(n, o) order by u.o),
         (select max(r.ends_at) from fairclaim.id_range r), greatest(interval '1 hour', s.retention / 4), s.retention,
         (select min(r.ends_at) from fairclaim.id_range r where r.ends_at < x.now_at - s.retention), l.expired, l.expired_since, l.running
    from (select fairclaim.clock() as now_at offset 0) x
   cross join fairclaim.tick_state t
   cross join fairclaim.setting s
   cross join lateral (
     select count(*) filter (where g.lease_expires_at < x.now_at) as expired, min(g.lease_expires_at) as expired_since, count(*) as running
       from fairclaim.running g) l
$$;

comment on function fairclaim.doctor_state() is
'The state of the maintenance, for `fairclaim doctor`: when tick last worked (to 5 s), how many numbers of `ready` open transactions hold back (safe_lag) and which of them (holders, as pg_locks.virtualtransaction, each with the ticks it has been there), how far ranges of ids reach, since when retention is overdue, and leases that expired and were not returned. For operators and observers.';
