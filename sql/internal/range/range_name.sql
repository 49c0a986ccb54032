-- Names the tables of a range in one place, for those that make, drop and prune them.
create or replace function fairclaim_internal.range_name(p_table text, p_starts_at timestamptz)
returns text
language sql immutable
as $$ select p_table || to_char(p_starts_at at time zone 'UTC', '_YYYYMMDD_HH24MI') $$;

comment on function fairclaim_internal.range_name(text, timestamptz) is
'The name of the partition of a table for the range of ids that starts then.';
