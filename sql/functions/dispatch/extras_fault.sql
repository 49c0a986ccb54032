create or replace function fairclaim.extras_fault(p_tags text[], p_metadata jsonb) returns text
language sql immutable
as $$
  select case
    when p_tags is null then 'p_tags: must not be null'
    when cardinality(p_tags) > 20 or array_ndims(p_tags) > 1 then 'p_tags: must be a list of at most 20'
    when exists (select from unnest(p_tags) t(tag) where t.tag is null or length(t.tag) not between 1 and 64)
      then 'p_tags: each must have 1 to 64 characters'
    when jsonb_typeof(p_metadata) is distinct from 'object' then 'p_metadata: must be an object'
    else 'p_metadata: ' || fairclaim.json_fault(p_metadata, 16384)
  end
$$;

comment on function fairclaim.extras_fault(text[], jsonb) is 'Why tags or metadata are refused, or null.';
