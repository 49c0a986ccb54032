-- The rows of a batch come as for into_lanes. A function of its own, so that a batch without keys
-- does not pay for setting it up.
create or replace function fairclaim_internal.hold_rows(p_rows fairclaim_internal.ready[])
returns fairclaim_internal.ready[]
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_rest ready[];
begin
  select array_agg(given.tenant_id order by given.seq) filter (where given.watched),
         array_agg(given.id order by given.seq) filter (where given.watched),
         array_agg(given.attempts order by given.seq) filter (where given.watched),
         array_agg(given.attempts_left order by given.seq) filter (where given.watched),
         array_agg(given.lost order by given.seq) filter (where given.watched),
         array_agg(given order by given.seq) filter (where not given.watched)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_rest
    from unnest(p_rows) given;
  if v_ids is not null then
    perform hold_jobs(v_tenants, v_ids, v_attempts, v_left, v_lost);
  end if;
  return v_rest;
end
$$;

comment on function fairclaim_internal.hold_rows(fairclaim_internal.ready[]) is
'Lets those of these new jobs that have a key wait for it; returns the others.';
