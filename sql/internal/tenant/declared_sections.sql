-- The objects of a document of declare_limits that hold settings, each with where it stands. A
-- place in the path that is a number is that of a key among the keys of its object, from 0, in the
-- order of jsonb: by length, then by bytes. So a refusal can say where without telling a name.
create or replace function fairclaim_internal.declared_sections(p_document jsonb)
returns table (
  subject text, tenant text, tenant_id uuid, queue text, held jsonb, path jsonb
)
language sql immutable
as $$
  with tenant as materialized (
    select named.key, named.value, named.place - 1 as place,
           case when fairclaim_internal.is_tenant_name(named.key)
                then fairclaim.tenant_uuid(named.key) end as id
      from jsonb_each(case when jsonb_typeof(p_document -> 'tenants') = 'object'
                           then p_document -> 'tenants' end) with ordinality
           named(key, value, place)),
  top as materialized (
    select 'default' as subject, null::text as tenant,
           '00000000-0000-0000-0000-000000000000'::uuid as tenant_id,
           p_document -> 'default' as held,
           '["default"]'::jsonb as path
     where p_document ? 'default'
    union all
    select 'tenant', tenant.key, tenant.id, tenant.value, jsonb_build_array('tenants', tenant.place)
      from tenant)
  select top.subject, top.tenant, top.tenant_id, '', top.held, top.path from top
  union all
  select top.subject, top.tenant, top.tenant_id, named.key, named.value,
         top.path || jsonb_build_array('queues', named.place - 1)
    from top
   cross join lateral jsonb_each(
     case when jsonb_typeof(top.held) = 'object' and jsonb_typeof(top.held -> 'queues') = 'object'
          then top.held -> 'queues' end) with ordinality named(key, value, place)
  union all
  select 'queue', null, '00000000-0000-0000-0000-000000000000', named.key, named.value,
         jsonb_build_array('queues', named.place - 1)
    from jsonb_each(case when jsonb_typeof(p_document -> 'queues') = 'object'
                         then p_document -> 'queues' end) with ordinality named(key, value, place)
$$;

comment on function fairclaim_internal.declared_sections(jsonb) is
'The objects of a document of declare_limits that hold settings: of whom, in which queue (empty: in all), and where they stand.';
