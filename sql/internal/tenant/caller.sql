-- The role that called, seen from inside a definer function: the role that was set, else the login.
create or replace function fairclaim_internal.caller() returns name
language sql stable
as $$
  select case when current_setting('role') = 'none' then session_user
              else current_setting('role')::name end
$$;

comment on function fairclaim_internal.caller() is 'The role that called into the schema.';
