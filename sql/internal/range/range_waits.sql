-- Every job that has not ended has a row in `running`, `scheduled` or `ready` (I1). The first two are looked up by id; `ready` is read
-- until one is found: as many rows as jobs wait.
create or replace function fairclaim_internal.range_waits(p_from uuid, p_to uuid) returns boolean
language sql stable
as $$
  select exists (select from fairclaim_internal.running g where g.id >= p_from and g.id < p_to)
      or exists (select from fairclaim_internal.scheduled s where s.id >= p_from and s.id < p_to)
      or exists (select from fairclaim_internal.ready y where y.id >= p_from and y.id < p_to)
$$;

comment on function fairclaim_internal.range_waits(uuid, uuid) is 'Whether a job with an id in this range has not ended.';
