-- Who is the login, as in the server's log: a role that was set says less.
create or replace function fairclaim_internal.note_audit(
  p_what text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_old text,
  p_new text,
  p_why text default null,
  p_until timestamptz default null,
  p_many int default 1
) returns void
language plpgsql
as $$
begin
  insert into audit (at, who, what, subject, tenant_id, queue, old_value, new_value, until, why,
                     many)
  values (fairclaim.clock(), session_user, p_what, p_subject, p_tenant_id, nullif(p_queue, ''),
          p_old, p_new, p_until, p_why, p_many);
  raise log 'fairclaim: % by %', p_what, session_user;
end
$$;

comment on function fairclaim_internal.note_audit(text, text, uuid, text, text, text, text,
    timestamptz, int) is
'Writes down who changed what, why, and how many.';
