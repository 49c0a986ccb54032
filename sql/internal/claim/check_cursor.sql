-- A cursor is 'queue|turn|used|shared' for each queue that the worker visited of late, the last one
-- first, joined by ';'. used: how much of its quantum the tenant at that turn has given; shared:
-- how many claims of one job in a row came from shared lanes. A cursor names no tenant.
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
  if cardinality(v_entries) not between 1 and 33
     or exists (
          select from unnest(v_entries) part(entry) where not is_cursor_entry(part.entry)) then
    perform refuse('JQ004', 'p_cursor', 'must be null or the next_cursor of an earlier claim',
      'begin again with null');
  end if;
  return v_entries;
end
$$;

comment on function fairclaim_internal.check_cursor(text) is
'The entries of a worker''s cursor; JQ004 if it is none.';
