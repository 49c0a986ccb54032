-- Every refusal goes through here, so that all read alike. Never pass a value of the caller's: the field and the rule.
create or replace function fairclaim_internal.refuse(p_code text, p_field text, p_rule text, p_hint text default null) returns void
language plpgsql
as $$
begin
  raise exception '%: %', p_field, p_rule using errcode = p_code, hint = coalesce(p_hint, format('change %s; the limits are in the comment of the function that was called', p_field));
end
$$;

comment on function fairclaim_internal.refuse(text, text, text, text) is
'Raises an error of one of the codes JQ001 to JQ007 that names the field and the rule.';
