-- A document that check_declared has passed.
create or replace function fairclaim_internal.read_declared(p_document jsonb) returns table (
  kind text, subject text, tenant_id uuid, queue text, value int, refuses boolean, what text
)
language sql immutable
as $$
  select known.kind, section.subject,
         section.tenant_id, section.queue, (section.held ->> known.name)::int,
         case when known.kind = 'waiting'
              then coalesce((section.held ->> 'refuses')::boolean, true) end,
         concat_ws('.',
           case section.subject when 'tenant' then 'tenants' when 'default' then 'default' end,
           section.tenant,
           case when section.queue <> '' then 'queues.' || section.queue end, known.name)
    from (select * from fairclaim_internal.declared_sections(p_document) offset 0) section
   cross join lateral (
     select * from fairclaim_internal.bound_range() range where section.held ? range.name) known
$$;

comment on function fairclaim_internal.read_declared(jsonb) is
'The settings in a document of declare_limits, each with its path.';
