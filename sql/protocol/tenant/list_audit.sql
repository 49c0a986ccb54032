create or replace function fairclaim.list_audit(
  p_limit int default 100,
  p_before bigint default null
) returns table (
  audit_id bigint, at timestamptz, who text, what text, subject text, tenant_id uuid, tenant text,
  queue text, old_value text, new_value text, until timestamptz, why text, many int
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      p_detail => '{"minimum": 1, "maximum": 10000}');
  end if;
  return query
  select noted.audit_id, noted.at, noted.who, noted.what, noted.subject, noted.tenant_id,
         tenant_label(noted.tenant_id), noted.queue, noted.old_value, noted.new_value,
         noted.until, noted.why, noted.many
    from (select audit.* from audit
           where p_before is null or audit.audit_id < p_before
           order by audit.audit_id desc limit p_limit) noted
   order by noted.audit_id desc;
end
$$;

comment on function fairclaim.list_audit(int, bigint) is
'What operators and deployments changed of tenants and queues, newest first, for operators: when, who (the login; tick for what ended by itself), what (the function), of whom, the value before and after, until when, why, and how many settings. A page has at most p_limit rows (1 to 10,000); p_before continues before an audit_id.
Errors: JQ004.';

grant execute on function fairclaim.list_audit(int, bigint) to fairclaim_operator;
