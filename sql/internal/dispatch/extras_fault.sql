-- Called only where there are tags or metadata. It is in plpgsql, since a function in the language
-- SQL that is not inlined is planned again in every transaction.
create or replace function fairclaim_internal.extras_fault(p_tags text[], p_metadata jsonb)
returns text
language plpgsql immutable
as $$
declare
  v_tag text;
begin
  if p_tags is null then
    return 'p_tags: must not be null';
  elsif cardinality(p_tags) > 20 or array_ndims(p_tags) > 1 then
    return 'p_tags: must be a list of at most 20';
  end if;
  -- Plain expressions: for 20 tags at most they are cheaper than a query.
  foreach v_tag in array p_tags loop
    if v_tag is null or length(v_tag) not between 1 and 64 then
      return 'p_tags: each must have 1 to 64 characters';
    end if;
  end loop;
  if p_metadata = '{}' then
    return null;
  elsif jsonb_typeof(p_metadata) is distinct from 'object' then
    return 'p_metadata: must be an object';
  end if;
  return 'p_metadata: ' || json_fault(p_metadata, 16384);
end
$$;

comment on function fairclaim_internal.extras_fault(text[], jsonb) is
'Why tags or metadata are refused, or null.';
