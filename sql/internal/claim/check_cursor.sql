-- A cursor is 'queue|turn|used|shared' for each queue visited of late, the last one first, joined by ';'. used: what is spent
-- of the quantum of the tenant at that turn; shared: how many claims of one in a row came from shared lanes. It names no tenant.
create or replace function fairclaim_internal.check_cursor(p_cursor text) returns text[]
language plpgsql immutable
as $$
declare
  v_entries text[];
begin
  if p_cursor is null then
    return null;
  elsif strpos(p_cursor, ';') = 0 and is_cursor_entry(p_cursor) then
    return array[p_cursor];
  end if;
  v_entries := string_to_array(p_cursor, ';');
  if cardinality(v_entries) not between 1 and 33 or exists (select from unnest(v_entries) e where not is_cursor_entry(e)) then
    perform refuse('JQ004', 'p_cursor', 'must be null or the next_cursor of an earlier claim', 'begin again with null');
  end if;
  return v_entries;
end
$$;

comment on function fairclaim_internal.check_cursor(text) is 'The entries of a worker''s cursor; JQ004 if it is none.';
