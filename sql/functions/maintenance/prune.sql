-- One expired range a call: dropped whole when every job in it ended before the retention began, else emptied row by row. Dropping takes an exclusive lock on the three
-- tables, for at most 100 ms of waiting; if it is not to be had, the next call tries again.
create or replace function fairclaim.prune(p_retention interval default null) returns table (ranges_dropped int, rows_deleted bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set row_security = on
set jit = off
set lock_timeout = '100ms'
as $$
declare
  v_retention interval := (select s.retention from fairclaim.setting s);
  v_before timestamptz;
  v_range fairclaim.id_range;
  v_from uuid;
  v_to uuid;
  v_ids uuid[];
begin
  if p_retention < interval '1 hour' then
    perform fairclaim.refuse('JQ004', 'p_retention', 'must be at least 1 hour');
  end if;
  if p_retention is not null and not pg_has_role(fairclaim.caller(), 'fairclaim_operator', 'USAGE') then
    perform fairclaim.refuse('JQ007', 'p_retention', 'may be chosen by an operator only', 'call prune() without an argument');
  end if;
  v_before := fairclaim.clock() - coalesce(p_retention, v_retention);
  ranges_dropped := 0; rows_deleted := 0;
  -- whoever makes room by a short retention must not thereby have files sent twice
  delete from fairclaim.dispatch_progress d
   where d.ctid = any (array(select x.ctid from fairclaim.dispatch_progress x
                              where x.updated_at < fairclaim.clock() - greatest(p_retention, v_retention) limit 1000 for update skip locked));
  for v_range in
    select * from fairclaim.id_range r
     where r.ends_at < v_before and r.ends_at < (select max(x.ends_at) from fairclaim.id_range x)      -- dispatch needs one
     order by r.starts_at
  loop
    v_from := fairclaim.id_at(fairclaim.millis(v_range.starts_at));
    v_to := fairclaim.id_at(fairclaim.millis(v_range.ends_at));
    if exists (select from fairclaim.job j
                where j.id >= v_from and j.id < v_to
                  and not exists (select from fairclaim.finished f where f.id = j.id and f.tenant_id = j.tenant_id
                                     and f.completed_at < v_before and f.id >= v_from and f.id < v_to)) then
      select array_agg(z.id) into v_ids
        from (select f.id from fairclaim.finished f
               where f.id >= v_from and f.id < v_to and f.completed_at < v_before limit 10000 for update skip locked) z;
      continue when v_ids is null;
      delete from fairclaim.attempt_error e where e.id = any (v_ids) and e.id >= v_from and e.id < v_to;
      delete from fairclaim.finished f where f.id = any (v_ids) and f.id >= v_from and f.id < v_to;
      delete from fairclaim.job j where j.id = any (v_ids) and j.id >= v_from and j.id < v_to;
      rows_deleted := rows_deleted + cardinality(v_ids);
      exit;
    else
      ranges_dropped := ranges_dropped + fairclaim.drop_range(v_range.starts_at, v_before);
      exit;
    end if;
  end loop;
  return next;
end
$$;

comment on function fairclaim.prune(interval) is
'Deletes what is past retention (the setting, 7 days at first): jobs dispatched and ended before it began, one range of ids a call, and how far sources of dispatch_lines were sent (not counted; never sooner than the setting says). Call it until it did nothing; workers call it every ten minutes. p_retention: operators only. Errors: JQ004, JQ007.';
