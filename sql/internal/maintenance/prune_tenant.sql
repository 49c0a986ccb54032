-- A step for one tenant with a retention of its own, the one that was looked at longest ago: it
-- walks the tenant's jobs by id up to the retention's age, from where the last step ended, and at
-- most once a minute from the start. The ends are locked first (skip locked), so that no retry
-- takes a job that is being deleted. Locks: its row of tenant_retention (skip locked), rows of
-- `finished`, then those of erase_jobs.
create or replace function fairclaim_internal.prune_tenant(p_now timestamptz, p_size int)
returns int
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_own tenant_retention;
  v_ids uuid[];
  v_past uuid[];
begin
  select * into v_own from tenant_retention own
   where own.place <> v_none or own.looked_at < p_now - interval '1 minute'
      or own.looked_at > p_now
   order by own.looked_at limit 1 for update skip locked;
  if not found then
    return 0;
  end if;
  v_ids := array(select job.id from job
                  where job.tenant_id = v_own.tenant_id and job.id > v_own.place
                    and job.id < id_at(greatest(0, millis(p_now - v_own.retention)))
                  order by job.tenant_id, job.id limit p_size);
  v_past := array(select finished.id from finished
                   where finished.id = any (v_ids) and finished.tenant_id = v_own.tenant_id
                     and finished.completed_at < p_now - v_own.retention for update skip locked);
  update tenant_retention
     set place = case when cardinality(v_ids) = p_size then v_ids[p_size] else v_none end,
         looked_at = p_now
   where tenant_retention.tenant_id = v_own.tenant_id;
  if v_past = '{}' then
    return 0;
  end if;
  return (select count(*)
            from erase_jobs(
                   v_past, array_fill(v_own.tenant_id, array[cardinality(v_past)])));
end
$$;

comment on function fairclaim_internal.prune_tenant(timestamptz, int) is
'Deletes a slice of the jobs of one tenant that ended before its own retention began. Returns how many.';
