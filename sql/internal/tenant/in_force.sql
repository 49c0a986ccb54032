-- Of each place the override while it is there and not past its end, else the base. The plan is
-- pinned to one look by index a place: the statistics may say "empty" of a table that a declaration
-- has just filled.
create or replace function fairclaim_internal.in_force(
  p_kind text,
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns table (subject text, tenant_id uuid, queue text, value int, refuses boolean)
language plpgsql stable
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select asked.subject, asked.tenant_id, asked.queue, held.value, held.refuses
    from unnest(p_subjects, p_tenants, p_queues) asked(subject, tenant_id, queue)
    left join lateral (
      -- by name, an override comes after the base
      select bound.value, bound.refuses from bound
       where bound.tenant_id = asked.tenant_id and bound.queue = asked.queue collate "C"
         and bound.kind = p_kind and bound.subject = asked.subject collate "C"
         and bound.key is null
         and (bound.layer = 'base' or bound.until is null or bound.until > p_now)
       order by bound.layer desc limit 1) held on true;
end
$$;

comment on function fairclaim_internal.in_force(text, text[], uuid[], text[], timestamptz) is
'What is in force in each of these places (subject, tenant, queue); null where nothing is set.';
