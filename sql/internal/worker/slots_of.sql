-- A look at all workers, of which there are few.
create or replace function fairclaim_internal.slots_of(p_queue text) returns int
language sql volatile
set enable_seqscan = on
as $$
  select coalesce(sum(worker.slots[array_position(worker.queues, p_queue collate "C")]), 0)::int
    from fairclaim_internal.worker
   where worker.silent_until > fairclaim.clock()
$$;

comment on function fairclaim_internal.slots_of(text) is
'How many jobs of a queue the workers that live can run at once.';
