-- Which rows of tick_lock an open transaction has locked. The row itself says which transaction
-- locked it last (xmax), and the server says whether that transaction, or the one that it is a part
-- of, is in progress; a prepared one is. So a lock is seen without locking anything, in the very
-- moment in which it is taken, whatever the snapshot. tick_lock has 16 rows: a sequential scan is
-- the right plan.
--
-- snapshot.next is the next transaction id with its epoch, locker.id the id of the locker in that
-- epoch. It is moved by one epoch where the two lie more than half an epoch apart.
create or replace function fairclaim_internal.ticks_at_work() returns table (slot smallint, xid xid)
language sql volatile
set enable_seqscan = on
as $$
  select tick_lock.slot, tick_lock.xmax
    from fairclaim_internal.tick_lock
   cross join (
     select (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint as next offset 0) snapshot
   cross join lateral (
     select tick_lock.xmax::text::bigint + (snapshot.next & -4294967296) as id offset 0) locker
   where tick_lock.xmax <> '0'::xid
     and pg_xact_status((
           case when locker.id > snapshot.next + 2147483648 then locker.id - 4294967296
                when locker.id < snapshot.next - 2147483648 then locker.id + 4294967296
                else locker.id end)::text::xid8) = 'in progress'
$$;

comment on function fairclaim_internal.ticks_at_work() is
'The rows of tick_lock that open transactions hold, with their transactions.';
