-- How deep a value nests, counted to 130 at most (the limit is 128). Level by level, so the work is bounded by depth.
create or replace function fairclaim.json_depth(p_value jsonb) returns int
language sql immutable
as $$
  with recursive level(d, v) as (
    select 1, p_value where jsonb_typeof(p_value) in ('array', 'object')
    union all
    select l.d + 1, c.v
      from level l
     cross join lateral (
       select a.value v from jsonb_array_elements(case when jsonb_typeof(l.v) = 'array' then l.v else '[]' end) a
       union all
       select o.value from jsonb_each(case when jsonb_typeof(l.v) = 'object' then l.v else '{}' end) o) c
     where l.d < 130 and jsonb_typeof(c.v) in ('array', 'object'))
  select coalesce(max(d), 0) from level
$$;

comment on function fairclaim.json_depth(jsonb) is 'How deep arrays and objects nest in a value, counted to 130.';
