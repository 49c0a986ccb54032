create or replace function fairclaim.drop_range(p_starts_at timestamptz, p_before timestamptz) returns int
language plpgsql
as $$
declare
  v_suffix text := to_char(p_starts_at at time zone 'UTC', '_YYYYMMDD_HH24MI');
  v_unfinished boolean;
begin
  -- a retry that commits after the caller has looked would lose its job: writers out first, then look once more
  execute format('lock table fairclaim.%I, fairclaim.%I, fairclaim.%I in share row exclusive mode',
    'job' || v_suffix, 'finished' || v_suffix, 'attempt_error' || v_suffix);
  execute format('select exists (select from fairclaim.%I j where not exists (
                    select from fairclaim.%I f where f.id = j.id and f.tenant_id = j.tenant_id and f.completed_at < $1))',
    'job' || v_suffix, 'finished' || v_suffix) into v_unfinished using p_before;
  if v_unfinished then
    return 0;
  end if;
  execute format('drop table fairclaim.%I, fairclaim.%I, fairclaim.%I',
    'job' || v_suffix, 'finished' || v_suffix, 'attempt_error' || v_suffix);
  delete from fairclaim.id_range r where r.starts_at = p_starts_at;
  return 1;
exception
  when lock_not_available or undefined_table then return 0;      -- in use, or another prune dropped it
end
$$;

comment on function fairclaim.drop_range(timestamptz, timestamptz) is
'Drops one range of ids from job, finished and attempt_error; 0 if its locks are not free or a job of it has not ended before p_before.';
