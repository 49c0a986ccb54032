-- Names are ASCII slugs of at most 64 characters; types may have upper case. It uses length() and
-- an unbounded repeat, since a bounded repeat in a regular expression is twelve times slower.
create or replace function fairclaim_internal.is_name(p_name text, p_upper boolean default false)
returns boolean
language sql immutable parallel safe
as $$
  select p_name is not null and length(p_name) <= 64
     and case when p_upper then p_name ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]*$'
              else p_name ~ '^[a-z0-9][a-z0-9_.:-]*$' end
$$;

comment on function fairclaim_internal.is_name(text, boolean) is
'Whether a text may name a queue, or with p_upper a type.';
