-- Looks at the next rows of `finished` in one range, in the order of their ids, and deletes those
-- whose job ended before the retention: with their errors and their jobs. All of them are found by
-- their keys in the three tables of that range (finished: %1$I, attempt_error: %2$I, job: %3$I), so
-- that no other range is locked. A row that is being retried just now is passed over. Locks rows of
-- `finished` only (skip locked): the transaction that has one may delete what belongs to it.
--
-- The plan is pinned to walks of indexes: the statistics of a range may say "empty", and then a
-- join would read all of it.
create or replace function fairclaim_internal.prune_step(
  p_range timestamptz,
  p_from uuid,
  p_to uuid,
  p_before timestamptz,
  p_limit int,
  p_faults uuid[],
  out looked int,
  out deleted int,
  out last uuid,
  out left_since timestamptz
)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  execute format($sql$
    with look as materialized (
      select finished.id, finished.completed_at, finished.ctid as place
        from fairclaim_internal.%1$I finished
       where finished.id > $1 and finished.id < $2 order by finished.id limit $4),
    past as materialized (
      select finished.id, finished.tenant_id, finished.ctid as place
        from fairclaim_internal.%1$I finished
       where finished.ctid = any (array(
         select look.place from look where look.completed_at < $3 and look.id <> all ($5)))
         and finished.completed_at < $3
         for update skip locked),
    errors as (
      delete from fairclaim_internal.%2$I attempt_error
       where attempt_error.ctid = any (array(
         select found.place from past
          cross join lateral (
            select error.ctid as place from fairclaim_internal.%2$I error
             where error.id = past.id and error.tenant_id = past.tenant_id offset 0) found))),
    jobs as (
      delete from fairclaim_internal.%3$I job
       where job.ctid = any (array(
         select found.place from past
          cross join lateral (
            select old.ctid as place from fairclaim_internal.%3$I old
             where old.tenant_id = past.tenant_id and old.id = past.id offset 0) found))),
    gone as (
      delete from fairclaim_internal.%1$I finished
       where finished.ctid = any (array(select past.place from past)) returning finished.id)
    select (select count(*) from look),
           (select count(*) from gone),
           (select look.id from look order by look.id desc limit 1),
           (select min(look.completed_at) from look where look.completed_at >= $3)$sql$,
    range_name('finished', p_range), range_name('attempt_error', p_range),
    range_name('job', p_range))
    into looked, deleted, last, left_since
    using p_from, p_to, p_before, p_limit, p_faults;
end
$$;

comment on function fairclaim_internal.prune_step(timestamptz, uuid, uuid, timestamptz,
    int, uuid[]) is
'Deletes those among the next p_limit finished jobs of a range, from an id on, that ended before a time. left_since: the earliest end among the others.';
