-- Queues that are paused, oldest pause first, at most 100.
create or replace function fairclaim.doctor_queues() returns table (queue text, paused_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select q.name, q.paused_at from queue q where q.paused_at is not null order by q.paused_at, q.name limit 100
$$;

comment on function fairclaim.doctor_queues() is
'Paused queues, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_queues() to fairclaim_operator, fairclaim_observer;
