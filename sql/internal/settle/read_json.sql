-- One text, for read_texts: its exception block costs as much as the reading. The classes that a
-- text of the caller's can raise: bad JSON, a NUL or half a surrogate pair, a number out of range
-- (22), and what is too long or too deep to be read at all (54).
create or replace function fairclaim_internal.read_json(p_text text, p_max_bytes int)
returns jsonb
language plpgsql
as $$
declare
  v_value jsonb;
begin
  -- here, since what is raised among the declarations is not caught
  v_value := p_text::jsonb;
  return case when p_max_bytes is null or json_fault(v_value, p_max_bytes) is null then v_value end;
exception
  when data_exception or program_limit_exceeded then return null;
end
$$;

comment on function fairclaim_internal.read_json(text, int) is
'A text as JSON, or null where it is none that can be stored, has more than p_max_bytes or nests too deep (null: whatever it has).';
