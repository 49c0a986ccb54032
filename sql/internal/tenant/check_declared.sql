-- The first fault of a document is told, with its path, and without a name or value of it.
create or replace function fairclaim_internal.check_declared(p_document jsonb) returns void
language plpgsql
as $$
declare
  v_fault record;
begin
  if jsonb_typeof(p_document) is distinct from 'object' then
    perform refuse('JQ004', 'p_document', 'must be an object with default, queues and tenants',
      'an empty object declares that nothing is set');
  end if;
  with section as materialized (
    select * from declared_sections(p_document)),
  keyed as materialized (
    select section.subject, section.queue, section.path, entry.key, entry.value, held.is_object
      from section
     cross join lateral (
       select jsonb_typeof(section.held) = 'object' as is_object) held
      left join lateral jsonb_each(case when held.is_object then section.held end)
                entry(key, value) on true),
  fault as (
    select jsonb_build_array(unknown.key) as path, unknown.key as field,
           'has an unknown key' as rule, null::int as minimum, null::int as maximum,
           '["default", "queues", "tenants"]'::jsonb as allowed
      from jsonb_object_keys(p_document) unknown(key)
     where unknown.key not in ('default', 'queues', 'tenants')
    union all
    select jsonb_build_array(part.name), part.name, 'must be an object', null, null, null
      from unnest(array['default', 'queues', 'tenants']) part(name)
     where jsonb_typeof(p_document -> part.name) <> 'object'
    union all
    select named.path, 'tenants', 'must name a tenant by 1 to 255 bytes without control '
           'characters, and each tenant once', null, null, null
      from (select declared.path,
                   case when declared.tenant_id is null then 2
                        else count(*) over (partition by declared.tenant_id) end as times
              from section declared
             where declared.subject = 'tenant' and jsonb_array_length(declared.path) = 2) named
     where named.times > 1
    union all
    select distinct keyed.path, 'queues',
           'must name queues that match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
           null::int, null::int, null::jsonb
      from keyed
     where keyed.path ->> -2 = 'queues' and not is_name(keyed.queue)
    union all
    select keyed.path, keyed.path ->> 0, 'must be an object', null, null, null
      from keyed where not keyed.is_object
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'has an unknown key', null,
           null, (select jsonb_agg(known.name) from unnest(known.names) known(name))
      from keyed
     cross join lateral (
       select case when keyed.subject = 'queue' then array['max_running']
                   else array_remove(array[
                     case when keyed.subject = 'tenant' then 'weight' end, 'max_running',
                     'max_waiting', 'refuses',
                     case when keyed.path ->> -2 is distinct from 'queues' then 'queues' end], null)
              end as names) known
     where keyed.key <> all (known.names)
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key,
           format('must be a whole number from %s to %s', known.minimum, known.maximum),
           known.minimum, known.maximum, null
      from keyed
      join bound_range() known on known.name = keyed.key
     where case when jsonb_typeof(keyed.value) = 'number'
                then keyed.value::numeric not between known.minimum and known.maximum
                     or keyed.value::numeric % 1 <> 0
                else true end
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'must be true or false', null, null, null
      from keyed where keyed.key = 'refuses' and jsonb_typeof(keyed.value) <> 'boolean'
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'belongs to max_waiting, which is missing',
           null, null, null
      from keyed
     where keyed.key = 'refuses' and not exists (
             select from keyed other
              where other.path = keyed.path and other.key = 'max_waiting')
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'must be an object', null, null, null
      from keyed where keyed.key = 'queues' and jsonb_typeof(keyed.value) <> 'object')
  select * into v_fault from fault limit 1;
  if found then
    perform refuse('JQ004',
      'p_document' || case when v_fault.allowed is null then '.' || v_fault.field else '' end,
      v_fault.rule, null, jsonb_strip_nulls(jsonb_build_object(
        'path', case when v_fault.allowed is null then v_fault.path else v_fault.path - -1 end,
        'minimum', v_fault.minimum, 'maximum', v_fault.maximum, 'allowed', v_fault.allowed)));
  end if;
end
$$;

comment on function fairclaim_internal.check_declared(jsonb) is
'Refuses a document that declare_limits cannot read (JQ004), with the path of the fault.';
