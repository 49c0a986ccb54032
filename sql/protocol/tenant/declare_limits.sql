-- Set-based, whatever the number of tenants. Locks `bound`, then rows of what is in force; a dry
-- run locks nothing.
create or replace function fairclaim.declare_limits(
  p_document jsonb,
  p_dry_run boolean default false,
  p_why text default null
) returns table (
  change text, what text, kind text, tenant_id uuid, queue text, old int, new int, refuses boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_nil constant uuid := '00000000-0000-0000-0000-000000000000';
  v_ids bigint[];
  v_changes text[];
  v_whats text[];
  v_kinds text[];
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
  v_old int[];
  v_new int[];
  v_refuses boolean[];
begin
  perform check_declared(p_document);
  perform check_bound('weight', 'default', null, null, null, p_why, null, v_now);
  if not coalesce(p_dry_run, false) then
    perform lock_bounds();
  end if;
  with wanted as materialized (
    select * from read_declared(p_document)),
  known as materialized (
    select bound.* from bound
     where bound.layer = 'base' and bound.key is null
       and bound.kind in (select range.kind from bound_range() range)),
  diff as (
    select wanted.what, known.bound_id, known.value as old, wanted.value as new,
           case when known.value is null then 'added' when wanted.value is null then 'removed'
                else 'changed' end as change,
           coalesce(wanted.kind, known.kind) as kind,
           coalesce(wanted.subject, known.subject) as subject,
           coalesce(wanted.tenant_id, known.tenant_id) as tenant_id,
           coalesce(wanted.queue, known.queue) as queue, wanted.refuses
      from wanted
      full join known on known.kind = wanted.kind and known.subject = wanted.subject
                     and known.tenant_id = wanted.tenant_id and known.queue = wanted.queue
     where known.value is distinct from wanted.value
        or known.refuses is distinct from wanted.refuses
     order by subject, tenant_id, queue, kind)
  select array_agg(diff.bound_id), array_agg(diff.change), array_agg(diff.what),
         array_agg(diff.kind), array_agg(diff.subject), array_agg(diff.tenant_id),
         array_agg(diff.queue), array_agg(diff.old), array_agg(diff.new), array_agg(diff.refuses)
    into v_ids, v_changes, v_whats, v_kinds, v_subjects, v_tenants, v_queues, v_old, v_new,
         v_refuses
    from diff;
  if v_kinds is null then
    return;
  end if;
  if not coalesce(p_dry_run, false) then
    perform write_base(v_ids, v_kinds, v_subjects, v_tenants, v_queues, v_new, v_refuses, p_why,
      v_now);
  end if;
  return query
  select item.change,
         coalesce(item.what, concat_ws('.',
           case item.subject when 'tenant' then 'tenants' when 'default' then 'default' end,
           case when item.subject = 'tenant'
                then coalesce(tenant_label(item.tenant_id), item.tenant_id::text) end,
           case when item.queue <> '' then 'queues.' || item.queue end,
           (select range.name from bound_range() range where range.kind = item.kind))),
         item.kind, nullif(item.tenant_id, v_nil), nullif(item.queue, ''), item.old, item.new,
         item.refuses
    from unnest(v_changes, v_whats, v_kinds, v_subjects, v_tenants, v_queues, v_old, v_new,
                v_refuses)
         item(change, what, kind, subject, tenant_id, queue, old, new, refuses);
end
$$;

comment on function fairclaim.declare_limits(jsonb, boolean, text) is
'Declares the base of all settings in one call, for operators, as a deployment does: what the document says is set, and what an earlier document said and this one does not is removed. Overrides of operators stay and go before it. The same document again changes nothing. Answers one row for each change, with its path in the document, and with p_dry_run makes none of them.
The document: {"default": {"max_running": 5, "max_waiting": 1000, "refuses": true, "queues": {"mail": {"max_running": 2}}}, "queues": {"mail": {"max_running": 100}}, "tenants": {"acme": {"weight": 3, "max_running": 8, "max_waiting": 5000, "queues": {"mail": {"weight": 5}}}}}. A tenant is named by its name or uuid; every part may be left out. refuses (true where it is left out) belongs to max_waiting: see set_quota.
Errors: JQ004, with the path of the fault in DETAIL; nothing is changed then.';

grant execute on function fairclaim.declare_limits(jsonb, boolean, text) to fairclaim_operator;
