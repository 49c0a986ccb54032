-- The jobs that a filter finds, newest first, at most p_limit. `job` has no index by id alone, so a call walks down from p_before_id
-- - with a tenant, and a status that is final or none: the tenant's own rows of `job`, by (tenant_id, id);
-- - else the table of the status, by id: `finished`, `running`, `scheduled`. `ready` has no index by id alone either: what waits (of
--   the tenant, where there is one) is read whole and sorted.
-- Each table gives at most p_limit rows, by an `order by ... limit` of its own, or the planner reads and sorts all of `finished`; for the
-- same reason the text is put together from the filters that are there, of fixed parts only. A page is full after as many rows as it
-- has, if all match; a filter that few match goes on, for as long as the ages leave something: they are turned into bounds of ids
-- (uuid v7), which leave out whole ranges. They are compared with created_at as well: an id made beyond the last range is older.
-- `exists (... offset 0)` keeps the look at a row's job a look, and no join of everything.
create or replace function fairclaim_internal.matching_jobs(
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_status text,
  p_before_id uuid,
  p_older_than interval,
  p_newer_than interval,
  p_error text,
  p_limit int
) returns table (id uuid, tenant_id uuid)
language plpgsql stable
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_until timestamptz := v_now - p_older_than;
  v_since timestamptz := v_now - p_newer_than;
  v_before uuid := coalesce(least(p_before_id, id_at(millis(v_until) + 1)), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from uuid := coalesce(id_at(millis(v_since) - 1), '00000000-0000-0000-0000-000000000000');
  v_job text := concat(case when p_queue is not null then ' and j.queue = $4' end, case when p_type is not null then ' and j.type = $5' end,
                       case when v_until is not null then ' and j.created_at < $6' end,
                       case when v_since is not null then ' and j.created_at >= $7' end);
  v_error text := case when p_error is not null then
    ' and error_has(coalesce(%s, (select e.error from attempt_error e
        where e.id = z.id and e.tenant_id = z.tenant_id order by e.attempt desc limit 1)), $8)' end;
  v_branch text := '(select z.id, z.tenant_id from fairclaim_internal.%I z where z.id < $1 and z.id >= $2'
    || case when p_tenant_id is not null then ' and z.tenant_id = $3' else '' end
    || case when v_job <> '' then ' and exists (select from job j where j.tenant_id = z.tenant_id and j.id = z.id' || v_job || ' offset 0)'
            else '' end;
  v_end text := ' order by z.id desc limit $10)';
  v_all text;
begin
  if p_tenant_id is not null and (p_status is null or p_status in ('completed', 'failed', 'cancelled')) then
    v_all := '(select z.id, z.tenant_id from job z where z.id < $1 and z.id >= $2 and z.tenant_id = $3' || replace(v_job, ' j.', ' z.')
      || case when p_status is not null then ' and exists (select from finished f
           where f.id = z.id and f.tenant_id = z.tenant_id and f.status = $9 offset 0)' else '' end
      || coalesce(' and not exists (select from finished f
           where f.id = z.id and f.tenant_id = z.tenant_id and f.status = ''completed'' offset 0)'
         || format(v_error, '(select f.error from finished f where f.id = z.id and f.tenant_id = z.tenant_id)'), '') || v_end;
  else
    -- each job is in exactly one of the four
    v_all := concat_ws(' union all ',
      case when p_status is null or p_status in ('completed', 'failed', 'cancelled') then
        format(v_branch, 'finished') || case when p_status is not null then ' and z.status = $9' else '' end
          || coalesce(' and z.status <> ''completed''' || format(v_error, 'z.error'), '') || v_end end,
      case when p_status is null or p_status = 'processing' then format(v_branch, 'running') || coalesce(format(v_error, 'null'), '') || v_end end,
      case when p_status is null or p_status = 'scheduled' then format(v_branch, 'scheduled') || coalesce(format(v_error, 'null'), '') || v_end end,
      case when p_status is null or p_status = 'pending' then format(v_branch, 'ready') || coalesce(format(v_error, 'null'), '') || v_end end);
  end if;
  return query execute 'select u.id, u.tenant_id from (' || v_all || ') u order by u.id desc limit $10'
    using v_before, v_from, p_tenant_id, p_queue, p_type, v_until, v_since, p_error, p_status, p_limit;
end
$$;

comment on function fairclaim_internal.matching_jobs(uuid, text, text, text, uuid, interval, interval, text, int) is
'The ids of the jobs that a filter finds, newest first, with their tenants. What list_jobs and count_jobs have in common.';
