-- Null for the tenant means every tenant for an operator, and for others the default tenant of the
-- settings, if there is one.
create or replace function fairclaim_internal.check_scope(p_tenant_id uuid, p_ids uuid[])
returns uuid
language plpgsql stable
as $$
begin
  if cardinality(p_ids) is null or cardinality(p_ids) not between 1 and 10000
     or array_ndims(p_ids) > 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of 1 to 10,000 ids without nulls',
      'send 10,000 at most at a time, and no call for none', '{"limit": 10000}');
  elsif p_tenant_id is null and not caller_is('operator') then
    p_tenant_id := default_tenant();
    if p_tenant_id is null then
      perform refuse('JQ002', 'p_tenant_id', 'is missing',
        format('name the tenant; only an operator may leave it out: grant %I to %I'
               ' (an application with one tenant only sets it once:'
               ' `fairclaim settings set default_tenant app`)', our_role('operator'), caller()));
    end if;
  end if;
  return p_tenant_id;
end
$$;

comment on function fairclaim_internal.check_scope(uuid, uuid[]) is
'Refuses bad ids, and a call without a tenant by a caller that is no operator where there is no default tenant. Returns whose jobs are meant; null: every tenant''s.';
