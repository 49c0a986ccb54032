-- The server inlines this function into the caller's expression, so the cursor of a worker with one
-- queue is checked without running a query.
create or replace function fairclaim_internal.is_cursor_entry(p_entry text) returns boolean
language sql immutable parallel safe
as $$
  select case
           when length(p_entry) > 110
             or p_entry !~ '^[a-z0-9][a-z0-9_.:-]*[|]-?[0-9]+[|][0-9]+[|][0-9]+$' then false
           when length(split_part(p_entry, '|', 2)) > 20 or length(split_part(p_entry, '|', 3)) > 6
             or length(split_part(p_entry, '|', 4)) > 6 then false
           else split_part(p_entry, '|', 2)::numeric
                between -9223372036854775808 and 9223372036854775807
         end
$$;

comment on function fairclaim_internal.is_cursor_entry(text) is
'Whether a text is one queue''s part of a cursor: queue|turn|used|shared.';
