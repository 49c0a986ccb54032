-- What `doctor` needs to know about ranges of ids and retention: one row, no tenant, no payload. Reads tables of a few dozen rows, and looks
-- up one finished job. Locks nothing.
create or replace function fairclaim.doctor_retention() returns table (
  now_at timestamptz, ranges bigint, range_width float8, starts_at timestamptz, ends_at timestamptz, is_covered boolean, ranges_far bigint,
  retention float8, oldest_end timestamptz, in_use_since timestamptz, faults bigint, fault_ids uuid[], fault_sqlstate text, pruned_at timestamptz
)
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  select x.now_at, (select count(*) from id_range), date_part('epoch', range_width()),
         (select min(r.starts_at) from id_range r),
         coalesce(b.ends_at, (select max(r.ends_at) from id_range r where r.ends_at <= x.now_at)),
         b.ends_at is not null,
         (select count(*) from id_range r where r.starts_at > x.now_at + 5 * range_width()),
         date_part('epoch', s.retention),
         (select f.completed_at from finished f order by f.id limit 1),
         (select min(r.ends_at) from id_range r where r.ends_at < x.now_at - s.retention and r.kept_at is null),
         (select count(*) from prune_fault), array(select p.id from prune_fault p order by p.at desc limit 5),
         (select p.sqlstate from prune_fault p order by p.at desc limit 1),
         (select nullif(p.rest_until, '-infinity') from prune_place p where not p.asked)
    from (select fairclaim.clock() as now_at offset 0) x
   cross join setting s
   cross join lateral range_block(x.now_at) b
$$;

comment on function fairclaim.doctor_retention() is
'Ranges of ids and retention, for `fairclaim doctor`: how many ranges there are, from when they begin to where those around the clock end (is_covered: whether the clock lies in one), how many a wrong clock has left far ahead (ranges_far), when the oldest finished job ended, the jobs that prune() could not delete, and when it last worked. For operators and observers.';

grant execute on function fairclaim.doctor_retention() to fairclaim_operator, fairclaim_observer;
