-- For sentences: 0 jobs, 1 job, 12 jobs.
create or replace function fairclaim_internal.counted(p_count bigint, p_noun text) returns text
language sql immutable parallel safe
as $$
  select p_count || ' ' || p_noun || case when p_count = 1 then '' else 's' end
$$;

comment on function fairclaim_internal.counted(bigint, text) is
'Says a number of things as people do: 1 job, 12 jobs.';
