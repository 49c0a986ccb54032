-- Called for each limited row that a settlement of many jobs deletes, so that the statement that
-- answers the caller need not gather their tenants.
create or replace function fairclaim_internal.note_freed(p_tenant uuid) returns void
language plpgsql
as $$
declare
  v_noted text := coalesce(current_setting('fairclaim.noted', true), '');
begin
  if strpos(v_noted, p_tenant::text) = 0 then
    perform set_config('fairclaim.noted', concat_ws(',', nullif(v_noted, ''), p_tenant), true);
  end if;
end
$$;

comment on function fairclaim_internal.note_freed(uuid) is
'Notes for the rest of a settlement that a job of this tenant, which counted under a limit, has ended.';
