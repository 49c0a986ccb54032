-- The jobs that a filter finds, newest first, at most p_limit. `job` has no index by id alone, so a
-- call walks down from p_before_id
-- - with a tenant, and a status that is final or none: the tenant's own rows of `job`, by
--   (tenant_id, id);
-- - else the table of the status, by id: `finished`, `running`, `scheduled`, `held`. `ready` has no
--   index by id alone either: what waits in lanes (of the tenant, where there is one) is read whole
--   and sorted.
--
-- Each table gives at most p_limit rows, by an `order by ... limit` of its own, or the planner
-- reads and sorts all of `finished`. For the same reason the text of the query is put together from
-- the filters that are there; its parts are fixed. A page is full after as many rows as it has, if
-- all match. A filter that few rows match goes on, for as long as the ages leave something: they
-- are turned into bounds of ids (uuid v7), which leave out whole ranges. They are compared with
-- created_at as well, since a job with an id made beyond the last range is older than its id.
--
-- `exists (... offset 0)` keeps the look at a row's job a look, and no join of everything.
--
-- Parameters of the query: $1 the id before which, $2 the id from which on, $3 tenant, $4 queue, $5
-- type, $6 created before, $7 created since, $8 error text, $9 status, $10 limit. `found` is the
-- row that is walked to.
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
  v_before uuid := coalesce(
    least(p_before_id, id_at(millis(v_until) + 1)), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from uuid := coalesce(id_at(millis(v_since) - 1), '00000000-0000-0000-0000-000000000000');
  v_final boolean := p_status is null or p_status in ('completed', 'failed', 'cancelled');
  v_job text := concat(
    case when p_queue is not null then ' and job.queue = $4' end,
    case when p_type is not null then ' and job.type = $5' end,
    case when v_until is not null then ' and job.created_at < $6' end,
    case when v_since is not null then ' and job.created_at >= $7' end);
  -- the error that a job ended with (%s), or else that of its last attempt
  v_error text := case when p_error is not null then
    ' and error_has(coalesce(%s, (select attempt_error.error from attempt_error
        where attempt_error.id = found.id and attempt_error.tenant_id = found.tenant_id
        order by attempt_error.attempt desc limit 1)), $8)' end;
  v_branch text := concat(
    '(select found.id, found.tenant_id from fairclaim_internal.%I found
       where found.id < $1 and found.id >= $2',
    case when p_tenant_id is not null then ' and found.tenant_id = $3' end,
    case when v_job <> '' then
      ' and exists (select from job
          where job.tenant_id = found.tenant_id and job.id = found.id'
        || v_job || ' offset 0)' end);
  v_plain_error text := coalesce(format(v_error, 'null'), '');      -- of a job that has not ended
  v_end text := ' order by found.id desc limit $10)';
  v_all text;
begin
  if p_tenant_id is not null and v_final then
    v_all := concat(
      '(select found.id, found.tenant_id from job found
         where found.id < $1 and found.id >= $2 and found.tenant_id = $3',
      replace(v_job, ' job.', ' found.'),
      case when p_status is not null then
        ' and exists (select from finished
            where finished.id = found.id and finished.tenant_id = found.tenant_id
              and finished.status = $9 offset 0)' end,
      ' and not exists (select from finished
          where finished.id = found.id and finished.tenant_id = found.tenant_id
            and finished.status = ''completed'' offset 0)'
        || format(v_error, '(select finished.error from finished
             where finished.id = found.id and finished.tenant_id = found.tenant_id)'),
      v_end);
  else
    -- each job is in exactly one of the five tables
    v_all := concat_ws(' union all ',
      case when v_final then
        concat(format(v_branch, 'finished'),
          case when p_status is not null then ' and found.status = $9' end,
          ' and found.status <> ''completed''' || format(v_error, 'found.error'), v_end) end,
      case when p_status is null or p_status = 'processing' then
        format(v_branch, 'running') || v_plain_error || v_end end,
      case when p_status is null or p_status = 'scheduled' then
        format(v_branch, 'scheduled') || v_plain_error || v_end end,
      case when p_status is null or p_status = 'pending' then
        format(v_branch, 'ready') || v_plain_error || v_end
        || ' union all ' || format(v_branch, 'held') || v_plain_error || v_end end);
  end if;
  return query execute
    'select either.id, either.tenant_id from (' || v_all || ') either
      order by either.id desc limit $10'
    using v_before, v_from, p_tenant_id, p_queue, p_type, v_until, v_since, p_error, p_status,
          p_limit;
end
$$;

comment on function fairclaim_internal.matching_jobs(uuid, text, text, text, uuid, interval,
    interval, text, int) is
'The ids of the jobs that a filter finds, newest first, with their tenants. What list_jobs and count_jobs have in common.';
