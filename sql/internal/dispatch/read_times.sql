-- Reads every run_at of a batch once, before anything else does: a cast that fails quotes its text.
-- The usual case is one pass; only a refusal looks at the times one by one. The settings that a
-- cast depends on are pinned here, so that no answer depends on the session of the caller.
-- `offset 0` keeps the planner from repeating the cast for each aggregate.
create or replace function fairclaim_internal.read_times(p_jobs jsonb) returns timestamptz[]
language plpgsql
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_good boolean;
  v_times timestamptz[];
  v_job record;
begin
  begin
    select array_agg(job.run_at), count(job.run_at) = count(job.text) into v_times, v_good
      from (select given.run_at as text,
                   case when is_time(given.run_at) then given.run_at::timestamptz end as run_at
              from jsonb_to_recordset(p_jobs) given(run_at text) offset 0) job;
  exception
    when data_exception then v_good := false;
  end;
  if v_good then
    return v_times;
  end if;
  for v_job in                                -- 10,000 at most
    select item ->> 'run_at' as text, place
      from jsonb_array_elements(p_jobs) with ordinality list(item, place)
     where item ->> 'run_at' is not null order by place
  loop
    begin
      v_good := is_time(v_job.text);
      if v_good then
        perform v_job.text::timestamptz;
      end if;
    exception
      when data_exception then v_good := false;
    end;
    if not v_good then
      perform refuse_job(
        'run_at: must be a time with its offset, like 2027-01-31T09:00:00Z', v_job.place::int - 1);
    end if;
  end loop;
end
$$;

comment on function fairclaim_internal.read_times(jsonb) is
'The run_at of each job of a batch, by its place. Refuses a batch in which one is no time in ISO 8601 with its offset (JQ004, with the index of the job).';
