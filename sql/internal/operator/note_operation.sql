-- Everything that an operator does to a tenant or a queue as a whole stands in the audit table, and
-- in the server's log without the reason, which may have anything in it.
create or replace function fairclaim_internal.note_operation(
  p_what text,
  p_tenant_id uuid,
  p_queue text,
  p_why text,
  p_many bigint default 0
) returns void
language plpgsql
as $$
begin
  if length(p_why) not between 1 and 1000 then
    perform refuse('JQ004', 'p_why', 'must have 1 to 1,000 characters',
      'say it in a sentence, or leave it out', '{"limit": 1000}');
  end if;
  perform note_audit(
    p_what, case when p_tenant_id is null then 'queue' else 'tenant' end, p_tenant_id, p_queue,
    null, null, p_why, p_many => least(p_many, 2147483647)::int);
end
$$;

comment on function fairclaim_internal.note_operation(text, uuid, text, text, bigint) is
'Notes what an operator did to a tenant or a queue, why, and to how many jobs. Errors: JQ004 for a reason that is too long.';
