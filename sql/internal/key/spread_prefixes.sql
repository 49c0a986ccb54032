-- A limit of a prefix was changed: each key under it in which jobs wait gets a note. The keys are
-- hopped to through the index, a look for each. Only tick calls it. Locks: the notes that it
-- spreads (skip locked). Whoever dropped a note of such a key by the old limit had begun before
-- this, so the key's jobs are found here.
create or replace function fairclaim_internal.spread_prefixes(p_floor bigint) returns void
language plpgsql
as $$
declare
  v_note key_note;
begin
  for v_note in
    select * from key_note
     where key_note.note_id > p_floor and key_note.is_prefix
     order by key_note.note_id limit 100 for update skip locked
  loop
    lock table ready in row exclusive mode;
    with recursive hop(key) as (
      (select held.key from held
        where held.tenant_id = v_note.tenant_id and held.key >= v_note.key
        order by held.tenant_id, held.key limit 1)
      union all
      select (select held.key from held
               where held.tenant_id = v_note.tenant_id and held.key > hop.key
               order by held.tenant_id, held.key limit 1)
        from hop where starts_with(hop.key, v_note.key))
    insert into key_note (tenant_id, key, floor)
    select v_note.tenant_id, hop.key, -1 from hop where starts_with(hop.key, v_note.key);
    delete from key_note where key_note.note_id = v_note.note_id;
  end loop;
end
$$;

comment on function fairclaim_internal.spread_prefixes(bigint) is
'Notes the keys under a prefix whose limit was changed.';
