-- `scheduled` has no index by tenant, since every retry would pay for it. So tick keeps a list of
-- the delayed jobs of tenants with a quota: it reads the new ones, whose ids come after the last
-- one it read; a slice of all of them again and again, for those that were committed late or were
-- there before the quota; and a slice of its list, from which it takes those that have gone.
create or replace function fairclaim_internal.note_delayed(
  inout p_place fairclaim_internal.quota_place,
  p_size int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_fresh uuid[] := array(select scheduled.id from scheduled
                           where scheduled.id > p_place.fresh
                           order by scheduled.id limit p_size);
  v_all uuid[] := array(select scheduled.id from scheduled
                         where scheduled.id > p_place.delayed
                         order by scheduled.id limit p_size / 4);
  v_kept delayed_job[];
begin
  insert into delayed_job (tenant_id, id, queue, run_at)
  select later.tenant_id, later.id, known.queue, later.run_at
    from scheduled later
   cross join lateral (
     select job.queue from job
      where job.tenant_id = later.tenant_id and job.id = later.id offset 0) known
   where later.id = any (v_fresh || v_all) and later.attempts = 0
     and exists (select from waiting_limit bound
                  where bound.tenant_id = any (array[later.tenant_id, v_none])
                    and bound.subject <> 'drain' offset 0)
      on conflict do nothing;
  p_place.fresh := coalesce(v_fresh[cardinality(v_fresh)], p_place.fresh);
  p_place.delayed := case when cardinality(v_all) = p_size / 4 then v_all[p_size / 4]
                          else v_none end;
  v_kept := array(select delayed_job from delayed_job
                   where (delayed_job.tenant_id, delayed_job.id)
                         > (p_place.kept_tenant, p_place.kept_id)
                   order by delayed_job.tenant_id, delayed_job.id limit p_size / 4);
  delete from delayed_job
   using unnest(v_kept) kept
   where delayed_job.tenant_id = kept.tenant_id and delayed_job.id = kept.id
     and not exists (select from scheduled where scheduled.id = kept.id);
  p_place.kept_tenant := case when cardinality(v_kept) = p_size / 4
                              then v_kept[p_size / 4].tenant_id else v_none end;
  p_place.kept_id := case when cardinality(v_kept) = p_size / 4
                          then v_kept[p_size / 4].id else v_none end;
end
$$;

comment on function fairclaim_internal.note_delayed(fairclaim_internal.quota_place, int) is
'Keeps the list of delayed jobs of tenants with a quota. Returns how far it has come.';
