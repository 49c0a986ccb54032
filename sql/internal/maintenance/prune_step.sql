-- Looks at the next rows of `finished` in one range, in the order of their ids, and deletes those whose job ended before the retention:
-- with their errors and their jobs, all found by their keys in the tables of that range, so that no other is locked. A row that somebody
-- retries just now is passed over. Locks rows of `finished` (skip locked) only: who has one may delete what belongs to it.
create or replace function fairclaim_internal.prune_step(
  p_range timestamptz, p_from uuid, p_to uuid, p_before timestamptz, p_limit int, p_faults uuid[],
  out looked int, out deleted int, out last uuid, out left_since timestamptz
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
      select f.id, f.completed_at, f.ctid c from fairclaim_internal.%1$I f
       where f.id > $1 and f.id < $2 order by f.id limit $4),
    mine as materialized (
      select z.id, z.tenant_id, z.ctid c from fairclaim_internal.%1$I z
       where z.ctid = any (array(select k.c from look k where k.completed_at < $3 and k.id <> all ($5))) and z.completed_at < $3
         for update skip locked),
    errors as (
      delete from fairclaim_internal.%2$I e
       where e.ctid = any (array(
         select x.c from mine m
          cross join lateral (select y.ctid c from fairclaim_internal.%2$I y where y.id = m.id and y.tenant_id = m.tenant_id offset 0) x))),
    jobs as (
      delete from fairclaim_internal.%3$I j
       where j.ctid = any (array(
         select x.c from mine m
          cross join lateral (select y.ctid c from fairclaim_internal.%3$I y where y.tenant_id = m.tenant_id and y.id = m.id offset 0) x))),
    gone as (
      delete from fairclaim_internal.%1$I f where f.ctid = any (array(select m.c from mine m)) returning f.id)
    select (select count(*) from look), (select count(*) from gone), (select k.id from look k order by k.id desc limit 1),
           (select min(k.completed_at) from look k where k.completed_at >= $3)$sql$,
    range_name('finished', p_range), range_name('attempt_error', p_range), range_name('job', p_range))
    into looked, deleted, last, left_since
    using p_from, p_to, p_before, p_limit, p_faults;
end
$$;

comment on function fairclaim_internal.prune_step(timestamptz, uuid, uuid, timestamptz, int, uuid[]) is
'Deletes those among the next p_limit finished jobs of a range, from an id on, that ended before a time. left_since: the earliest end among the others.';
