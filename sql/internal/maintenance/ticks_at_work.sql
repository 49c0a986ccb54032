-- Which rows of tick_lock an open transaction has locked. The row itself says who locked it last (xmax), and the server whether that
-- transaction, or the one it is a part of, is in progress; a prepared one is. So it is seen without locking anything, in the
-- very moment in which somebody takes a lock, whatever the snapshot.
create or replace function fairclaim_internal.ticks_at_work() returns table (slot smallint, xid xid)
language sql volatile
set enable_seqscan = on
as $$
  select k.slot, k.xmax
    from fairclaim_internal.tick_lock k
   cross join (select (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint as next offset 0) s
   cross join lateral (
     select k.xmax::text::bigint + (s.next & -4294967296) as id offset 0) x
   where k.xmax <> '0'::xid
     and pg_xact_status((case when x.id > s.next + 2147483648 then x.id - 4294967296 when x.id < s.next - 2147483648 then x.id + 4294967296
                              else x.id end)::text::xid8) = 'in progress'
$$;

comment on function fairclaim_internal.ticks_at_work() is 'The rows of tick_lock that open transactions hold, with their transactions.';
