-- Eight names tell what is wrong; more of them would hide the advice.
create or replace function fairclaim_internal.some_of(p_names text[]) returns text
language sql immutable parallel safe
as $$
  select array_to_string(p_names[1:8], ', ')
         || case when cardinality(p_names) > 8
                 then format(' and %s more', cardinality(p_names) - 8) else '' end
$$;

comment on function fairclaim_internal.some_of(text[]) is
'Joins at most eight names, and says how many more there are.';
