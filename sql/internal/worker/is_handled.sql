-- A look at all workers, of which there are few.
create or replace function fairclaim_internal.is_handled(p_queue text, p_type text)
returns boolean
language sql volatile
set enable_seqscan = on
as $$
  select exists (
    select from fairclaim_internal.worker
     where worker.silent_until > fairclaim.clock()
       and worker.queues @> array[p_queue collate "C"]
       and (worker.types is null or worker.types @> array[p_type collate "C"]))
$$;

comment on function fairclaim_internal.is_handled(text, text) is
'Whether a worker that lives serves this queue and handles this type.';
