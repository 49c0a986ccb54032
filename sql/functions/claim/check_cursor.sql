-- A cursor is 'queue|turn|used|shared' for each queue visited of late, the last one first, joined by ';'. used: what is spent
-- of the quantum of the tenant at that turn; shared: how many claims of one in a row came from shared lanes. It names no tenant.
create or replace function fairclaim.check_cursor(p_cursor text) returns text[]
language plpgsql immutable
as $$
declare
  v_entries text[] := string_to_array(p_cursor, ';');
begin
  if p_cursor = '' or cardinality(v_entries) > 33 or exists (
       select from unnest(v_entries) e
        where e !~ '^[a-z0-9][a-z0-9_.:-]*\|-?[0-9]+\|[0-9]+\|[0-9]+$' or length(e) > 110
           or case when length(split_part(e, '|', 2)) > 20 or length(split_part(e, '|', 3)) > 6 or length(split_part(e, '|', 4)) > 6 then true
                   else split_part(e, '|', 2)::numeric not between -9223372036854775808 and 9223372036854775807 end) then
    perform fairclaim.refuse('JQ004', 'p_cursor', 'must be null or the next_cursor of an earlier claim');
  end if;
  return v_entries;
end
$$;

comment on function fairclaim.check_cursor(text) is 'The entries of a worker''s cursor; JQ004 if it is none.';
