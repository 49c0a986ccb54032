create or replace function fairclaim_internal.prune_before(p_retention interval, p_now timestamptz) returns timestamptz
language plpgsql
as $$
begin
  if p_retention < interval '1 hour' or p_retention > interval '100 years' then
    perform refuse('JQ004', 'p_retention', 'must be at least 1 hour and at most 100 years',
      'leave it out for the retention of the settings', '{"minimum": 3600, "maximum": 3155760000}');
  end if;
  if p_retention is not null and not pg_has_role(caller(), 'fairclaim_operator', 'USAGE') then
    perform refuse('JQ007', 'p_retention', 'may be chosen by an operator only', 
      format('leave it out, or as an administrator: grant fairclaim_operator to %I', caller()));
  end if;
  return p_now - coalesce(p_retention, (select s.retention from setting s));
end
$$;

comment on function fairclaim_internal.prune_before(interval, timestamptz) is
'When a retention that ends now began: the one that is given, which only an operator may give, or that of the settings.';
