-- Reads all of two small tables.
create or replace function fairclaim.list_workers() returns table (
  id text, host text, version text, queues text[], slots int[], types text[], running int,
  started_at timestamptz, seen_at timestamptz, silent_until timestamptz, is_live boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  return query
  with held as materialized (
    select running.worker_id, count(*)::int as jobs from running group by running.worker_id)
  select worker.id, worker.host, worker.version, worker.queues, worker.slots, worker.types,
         coalesce((select held.jobs from held where held.worker_id = worker.id), 0),
         worker.started_at, worker.seen_at, worker.silent_until, worker.silent_until > v_now
    from worker
   order by worker.id;
end
$$;

comment on function fairclaim.list_workers() is
'The workers, by id, for operators and observers: machine, version, queues with the slots of each (how many of its jobs run at once), types (null: every one), how many jobs it holds, since when it is known, when it last reported, and until when it may be silent. is_live is false for one that has been silent for longer: it has died, or sleeps, and an hour later it is forgotten. A worker that ends as it should is not listed any more. Clients that do not call report_work are not here.';

grant execute on function fairclaim.list_workers() to fairclaim_operator, fairclaim_observer;
