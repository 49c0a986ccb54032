-- Whether a queue is in use. A queue exists by use, and only a name that was misspelt does not.
-- Lanes are the trace of use that is cheap to look for.
create or replace function fairclaim_internal.queue_in_use(p_queue text) returns boolean
language sql stable
as $$
  select exists (
           select from fairclaim_internal.lane
            where lane.tenant_id is null and lane.queue = p_queue)
      or exists (
           select from fairclaim_internal.lane
            where lane.tenant_id is not null and lane.queue = p_queue)
$$;

comment on function fairclaim_internal.queue_in_use(text) is
'Whether jobs wait in this queue, or have within the last hour.';
