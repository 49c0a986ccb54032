-- A prune by the settings is noted, so that no other worker is told to prune (is_prune_due).
create or replace function fairclaim_internal.prune_before(p_retention float8, p_now timestamptz)
returns timestamptz
language plpgsql
as $$
begin
  if p_retention < 3600 or p_retention > 3155760000 then
    perform refuse('JQ004', 'p_retention',
      'must be seconds from 3,600 (1 hour) to 3,155,760,000 (100 years)',
      'leave it out for the retention of the settings',
      '{"minimum": 3600, "maximum": 3155760000}');
  end if;
  if p_retention is null then
    perform setval('pruned_at', greatest(0, millis(p_now)));
  elsif not caller_is('operator') then
    perform refuse('JQ007', 'p_retention', 'may be chosen by an operator only',
      format('leave it out, or as an administrator: grant %I to %I',
             our_role('operator'), caller()));
  end if;
  return p_now - coalesce(
    make_interval(secs => p_retention), (select setting.retention from setting));
end
$$;

comment on function fairclaim_internal.prune_before(float8, timestamptz) is
'When a retention that ends now began: the one that is given, in seconds, which only an operator may give, or that of the settings.';
