-- The one function that knows what our roles are called. Grants and policies name them too, and so
-- do three texts of the doctor that a login without a role of ours sends by itself. All of them
-- write `fairclaim_<kind>` in full, so that another prefix is a plain replacement.
create or replace function fairclaim_internal.our_role(p_kind text) returns name
language sql immutable parallel safe
as $$
  select case p_kind
           when 'owner' then 'fairclaim_owner'
           when 'worker' then 'fairclaim_worker'
           when 'producer' then 'fairclaim_producer'
           when 'tenant' then 'fairclaim_tenant'
           when 'operator' then 'fairclaim_operator'
           when 'auditor' then 'fairclaim_auditor'
           when 'observer' then 'fairclaim_observer' end::name
$$;

comment on function fairclaim_internal.our_role(text) is
'The name of one of our roles: owner, worker, producer, tenant, operator, auditor or observer.';
