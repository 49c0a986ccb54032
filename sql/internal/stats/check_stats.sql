-- Refuses what makes no page, and takes p_after apart: the sort, the key and the row.
create or replace function fairclaim_internal.check_stats(
  p_limit int,
  p_after text,
  p_sort text,
  p_search text
) returns text[]
language plpgsql
as $$
declare
  v_after text[] := string_to_array(p_after, '|');
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'ask for at most 1,000 and go on with p_after', '{"minimum": 1, "maximum": 1000}');
  elsif p_sort is null
        or p_sort not in ('tenant', 'waiting', 'oldest', 'running', 'dispatched', 'claimed',
                          'finished', 'failed', 'seconds') then
    perform refuse('JQ004', 'p_sort', 'names no figure that tenants can be sorted by', null,
      '{"allowed": ["tenant", "waiting", "oldest", "running", "dispatched", "claimed",
                    "finished", "failed", "seconds"]}');
  elsif octet_length(p_search) not between 1 and 255 then
    perform refuse('JQ004', 'p_search', 'must have 1 to 255 bytes',
      'search for a part of a name', '{"minimum": 1, "limit": 255}');
  elsif p_after is not null
        and (cardinality(v_after) <> 3 or v_after[1] <> p_sort
             or v_after[3] !~ '^[0-9]{1,18}$'
             or p_sort <> 'tenant' and v_after[2] !~ '^-?[0-9]{1,20}([.][0-9]{1,20})?$')
        is not false then
    perform refuse('JQ004', 'p_after', 'is not `next` of a page with this sort',
      'pass `next` of the last row, and the same p_sort');
  end if;
  return v_after;
end
$$;

comment on function fairclaim_internal.check_stats(int, text, text, text) is
'Refuses bad arguments of tenant_stats, and returns the parts of p_after.';
