-- Of the jobs of a settlement those have ended that have a final fact; the others are stale, and a
-- job of theirs may be running. Called where one of those that ended is watched.
create or replace function fairclaim_internal.tell_watchers(p_ids uuid[]) returns uuid[]
language plpgsql
as $$
begin
  perform set_config('fairclaim.watched', '', true);
  return job_ended(array(
    select given.id from unnest(p_ids) given(id)
     where exists (select from finished where finished.id = given.id offset 0)));
end
$$;

comment on function fairclaim_internal.tell_watchers(uuid[]) is
'Tells the watchers of those of these jobs that have ended. Returns as job_ended.';
