-- Whether a job of priority above 0, of a type this claim asks for, waits in an own lane of the tenant.
create or replace function fairclaim.has_above(p_queue text, p_tenant_id uuid, p_types text[]) returns boolean
language sql stable
as $$
  select exists (
    select from fairclaim.lane o
     cross join lateral (
       select from fairclaim.ready x where x.lane_id = o.lane_id and x.seq >= o.floor limit 1) x
     where o.tenant_id is not null and o.priority > 0 and o.queue = p_queue and o.tenant_id = p_tenant_id
       and (p_types is null or o.type = any (p_types)))
$$;

comment on function fairclaim.has_above(text, uuid, text[]) is
'Whether a job of priority above 0 of this tenant waits; such a one goes before its shared rows.';
