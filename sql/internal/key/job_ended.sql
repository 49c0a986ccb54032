-- Tells whoever watches these jobs that they have ended, in the transaction that ended them; called
-- for watched ones only. So far only their keys watch: each gives its slot to the next job of its
-- key, if that has room (see fill_keys). p_parked: jobs that wait for their next attempt. They give
-- their slots too, unless they keep their order.
--
-- No settlement fails for the sake of the next job: if that cannot be moved, its key gets a note.
-- So it does outside READ COMMITTED, where no lane may be chosen. Locks: rows of key_slot that
-- belong to these jobs, then those of fill_keys; waits for none.
create or replace function fairclaim_internal.job_ended(p_ids uuid[], p_parked uuid[] default null)
returns uuid[]
language plpgsql
set enable_seqscan = off
set enable_nestloop = on
as $$
declare
  v_tenants uuid[];
  v_keys text[];
  v_jobs int[];
  v_floors bigint[];
  v_since bigint[];
  v_moved uuid[];
  v_keep boolean[];
begin
  with gone as (
    delete from key_slot
     where key_slot.id = any (p_ids || p_parked)
       and (not key_slot.keeps_order or (key_slot.id = any (p_ids)) is true)
    returning key_slot.*),
  freed as (
    select gone.tenant_id, gone.key, count(*)::int as jobs, max(gone.floor) as floor,
           max(gone.since) as since
      from gone group by gone.tenant_id, gone.key)
  select array_agg(freed.tenant_id), array_agg(freed.key), array_agg(freed.jobs),
         array_agg(freed.floor), array_agg(freed.since)
    into v_tenants, v_keys, v_jobs, v_floors, v_since
    from freed;
  if v_keys is null then
    return null;
  end if;
  v_keep := array_fill(true, array[cardinality(v_keys)]);
  if current_setting('transaction_isolation') = 'read committed' then
    begin
      select filled.moved, filled.keep into v_moved, v_keep
        from fill_keys(v_tenants, v_keys, v_jobs, v_floors, v_since, false, '{}') filled;
    exception
      when others then null;                  -- the tick that finds the note will tell
    end;
  end if;
  if true = any (v_keep) then
    lock table ready in row exclusive mode;
    insert into key_note (tenant_id, key, floor)
    select freed.tenant_id, freed.key, freed.floor
      from unnest(v_tenants, v_keys, v_floors, v_keep) freed(tenant_id, key, floor, keep)
     where freed.keep;
    perform tell_of_keys(millis(fairclaim.clock()));
  end if;
  return v_moved;
end
$$;

comment on function fairclaim_internal.job_ended(uuid[], uuid[]) is
'Tells whoever watches these jobs that they have ended. Returns the tenants of jobs that wait in a lane now, null for none.';
