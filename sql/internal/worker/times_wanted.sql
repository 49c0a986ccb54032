-- Three looks at tables that are small or empty.
create or replace function fairclaim_internal.times_wanted() returns boolean
language plpgsql
as $$
begin
  return exists (select from queue where queue.fair_by = 'seconds')
      or exists (select from queue_time) or exists (select from time_report);
end
$$;

comment on function fairclaim_internal.times_wanted() is
'Whether some queue is fair by seconds, or was until now.';
