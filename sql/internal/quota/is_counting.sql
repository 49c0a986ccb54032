-- Cheap where no quota is set: a look at three empty tables. In plpgsql, since a function in the
-- language SQL would be planned again at every tick.
create or replace function fairclaim_internal.is_counting() returns boolean
language plpgsql stable
as $$
begin
  return exists (select from waiting_limit where waiting_limit.subject <> 'drain')
      or exists (select from waiting_count)
      or exists (select from delayed_job);
end
$$;

comment on function fairclaim_internal.is_counting() is
'Whether a tick has to count what waits, for quotas.';
