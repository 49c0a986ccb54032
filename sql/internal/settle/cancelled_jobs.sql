-- Of very many wishes it looks at the newest hundred, since each call that settles or claims asks
-- it for a minute after a wish; heartbeats tell of all.
create or replace function fairclaim_internal.cancelled_jobs(p_worker_id text) returns uuid[]
language plpgsql
as $$
begin
  return (
    select array_agg(wish.id)
      from (select cancel_request.id from cancel_request
             order by cancel_request.request_id desc limit 100) wish
     cross join lateral (
       select running.worker_id from running where running.id = wish.id offset 0) attempt
     where attempt.worker_id = p_worker_id);
end
$$;

comment on function fairclaim_internal.cancelled_jobs(text) is
'The running jobs of this worker that were asked to stop; null for none.';
