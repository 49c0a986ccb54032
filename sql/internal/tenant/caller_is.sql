-- Whether the caller may do what a role of ours may, as a definer function asks it.
create or replace function fairclaim_internal.caller_is(p_kind text) returns boolean
language sql stable
as $$
  select pg_has_role(
    fairclaim_internal.caller(), fairclaim_internal.our_role(p_kind), 'USAGE')
$$;

comment on function fairclaim_internal.caller_is(text) is
'Whether the role that called has the rights of one of our roles: operator, auditor and so on.';
