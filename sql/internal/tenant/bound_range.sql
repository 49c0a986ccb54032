-- What a setting of each kind may be, and what it is called in a document of declare_limits.
create or replace function fairclaim_internal.bound_range() returns table (
  kind text, name text, minimum int, maximum int
)
language sql immutable
as $$
  values
    ('weight', 'weight', 1, 100),
    ('running', 'max_running', 0, 1000000),
    ('waiting', 'max_waiting', 0, 2000000000)
$$;

comment on function fairclaim_internal.bound_range() is
'The kinds of settings that have a number, and its bounds.';
