-- Refuses a run_at that is no time before anything else reads it: a cast that fails quotes its
-- text. The usual case is one pass with one cast a job; only a refusal looks at them one by one.
-- The settings that a cast depends on are pinned here and in dispatch_jobs.
create or replace function fairclaim_internal.check_times(p_jobs jsonb) returns void
language plpgsql
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_good boolean;
  v_time record;
begin
  begin
    select coalesce(bool_and(case when is_time(job.run_at)
                                  then job.run_at::timestamptz is not null
                                  else job.run_at is null end), true)
      into v_good
      from (select item ->> 'run_at' as run_at from jsonb_array_elements(p_jobs) list(item)) job;
  exception
    when data_exception then v_good := false;
  end;
  if v_good then
    return;
  end if;
  for v_time in                               -- 10,000 at most
    select item ->> 'run_at' as run_at, place
      from jsonb_array_elements(p_jobs) with ordinality list(item, place)
     where item ->> 'run_at' is not null order by place
  loop
    begin
      v_good := is_time(v_time.run_at);
      if v_good then
        perform v_time.run_at::timestamptz;
      end if;
    exception
      when data_exception then v_good := false;
    end;
    if not v_good then
      perform refuse_job(
        'run_at: must be a time with its offset, like 2027-01-31T09:00:00Z', v_time.place::int - 1);
    end if;
  end loop;
end
$$;

comment on function fairclaim_internal.check_times(jsonb) is
'Refuses a batch in which a run_at is no time in ISO 8601 with its offset (JQ004, with the index of the job).';
