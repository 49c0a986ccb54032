-- Looks at the keys that are noted, oldest notes first, and moves what has room. Called by claims
-- with slots left (p_state null) and by ticks. Locks: the keys' rows of key_lock (by slot, skip
-- locked), and then, in new statements, what fill_keys locks. A note is deleted only by who holds
-- the lock of its key, so two callers never wait for each other over one.
--
-- A note that must stay, since another holds the lock, or a settlement that is still open has the
-- slot, costs a claim no write. A tick puts it behind the others, one for each key, so that such
-- notes are in nobody's way. A bound says up to where notes are gone; as it follows the safe mark
-- of tick, no open transaction has a note below. p_all: the bound is passed by, in case it is
-- wrong.
create or replace function fairclaim_internal.admit_keys(
  p_state fairclaim_internal.tick_state,
  p_all boolean,
  p_size int,
  p_skip uuid[],
  out moved int,
  out looked int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_nestloop = on
set enable_hashjoin = on
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_floor bigint := case when p_all then 0
                         else coalesce(pg_sequence_last_value('key_floor'), 0) end;
  v_is_tick boolean := p_state.n is not null;
  v_notes bigint[];
  v_tenants uuid[];
  v_keys text[];
  v_floors bigint[];
  v_slots smallint[];
  v_filled record;
begin
  moved := 0;
  if v_is_tick then
    perform spread_prefixes(v_floor);
  end if;
  v_notes := array(
    select key_note.note_id from key_note
     where key_note.note_id > v_floor and not key_note.is_prefix
     order by key_note.note_id limit p_size);
  looked := cardinality(v_notes);
  if v_is_tick then
    perform setval('key_floor', greatest(0, v_floor, least(p_state.safe, (
      select min(first.note_id) - 1
        from (select key_note.note_id from key_note
               where key_note.note_id > v_floor order by key_note.note_id limit 1) first))));
  end if;
  if looked = 0 then
    return;
  end if;
  -- those whose lock is got; then a new statement, which sees all that the locks were held for
  v_slots := array(
    select key_lock.slot from key_lock
     where key_lock.slot = any (array(
       select key_lock_of(note.tenant_id, note.key) from key_note note
        where note.note_id = any (v_notes)))
     order by key_lock.slot for update skip locked);
  select array_agg(noted.tenant_id), array_agg(noted.key), array_agg(noted.floor)
    into v_tenants, v_keys, v_floors
    from (select note.tenant_id, note.key, min(note.floor) as floor from key_note note
           where note.note_id = any (v_notes)
             and key_lock_of(note.tenant_id, note.key) = any (v_slots)
           group by note.tenant_id, note.key) noted;
  if v_keys is not null then
    select * into v_filled
      from fill_keys(v_tenants, v_keys, array_fill(1000000, array[cardinality(v_keys)]), v_floors,
             array_fill(-1::bigint, array[cardinality(v_keys)]), true, p_skip);
    moved := coalesce(cardinality(v_filled.moved), 0);
    delete from key_note
     where key_note.note_id = any (v_notes)
       and exists (select from unnest(v_tenants, v_keys, v_filled.keep) done(tenant_id, key, keep)
                    where done.tenant_id = key_note.tenant_id and done.key = key_note.key
                      and not done.keep);
  end if;
  if v_is_tick then
    with stays as (
      delete from key_note
       where key_note.ctid = any (array(
         select note.ctid from key_note note
          where note.note_id = any (v_notes) for update skip locked))
      returning key_note.tenant_id, key_note.key, key_note.floor)
    insert into key_note (tenant_id, key, floor)
    select stays.tenant_id, stays.key, min(stays.floor)
      from stays group by stays.tenant_id, stays.key;
  end if;
end
$$;

comment on function fairclaim_internal.admit_keys(fairclaim_internal.tick_state, boolean, int,
    uuid[]) is
'Moves jobs of keys that are noted and have room into lanes. moved: how many; looked: at how many notes.';
