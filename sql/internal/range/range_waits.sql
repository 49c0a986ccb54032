-- Every job that has not ended has a row in `running`, `scheduled`, `held` or `ready` (I1). All
-- but the last are looked up by id. `ready` is read until one is found: as many rows as jobs wait.
create or replace function fairclaim_internal.range_waits(p_from uuid, p_to uuid) returns boolean
language sql stable
as $$
  select exists (
           select from fairclaim_internal.running where running.id >= p_from and running.id < p_to)
      or exists (
           select from fairclaim_internal.scheduled
            where scheduled.id >= p_from and scheduled.id < p_to)
      or exists (
           select from fairclaim_internal.held where held.id >= p_from and held.id < p_to)
      or exists (
           select from fairclaim_internal.ready where ready.id >= p_from and ready.id < p_to)
$$;

comment on function fairclaim_internal.range_waits(uuid, uuid) is
'Whether a job with an id in this range has not ended.';
