-- The first row behind an id is the one that could not be deleted. It is noted without anything
-- that is in it.
create or replace function fairclaim_internal.note_prune_fault(
  p_range timestamptz,
  p_from uuid,
  p_sqlstate text
) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  execute format($sql$
    select finished.id from fairclaim_internal.%I finished
     where finished.id > $1 order by finished.id limit 1$sql$,
    range_name('finished', p_range))
    into v_id using p_from;
  raise warning 'fairclaim cannot delete job % and passes it over for an hour: %', v_id, p_sqlstate;
  if (select count(*) from prune_fault) < 100 then
    insert into prune_fault (id, sqlstate, at) values (v_id, p_sqlstate, fairclaim.clock())
    on conflict (id) do update set sqlstate = excluded.sqlstate, at = excluded.at;
  end if;
  return v_id;
end
$$;

comment on function fairclaim_internal.note_prune_fault(timestamptz, uuid, text) is
'Notes the first finished job behind an id as one that cannot be deleted, and returns it.';
