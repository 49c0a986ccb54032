-- Reads one row, and the list of what is in it. The style of intervals is pinned, since a span
-- passes through its text on its way.
create or replace function fairclaim.list_settings()
returns table (name text, value text, default_value text, unit text, about text)
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set intervalstyle = 'postgres'
as $$
  select known.name,
         case known.unit
           when 'seconds' then trim_scale(
             extract(epoch from (stored.columns ->> known.name)::interval))::text
           else stored.columns ->> known.name end,
         known.default_value, known.unit, known.about
    from known_settings() known
   cross join (select to_jsonb(setting) as columns from setting) stored
   order by known.place
$$;

comment on function fairclaim.list_settings() is
'The settings of this installation, for operators and observers: value and default_value as texts (null: none), and unit, which says how to read them: seconds (a number, with a fraction if need be), bytes, number, name. about: what it is, in a sentence.';

grant execute on function fairclaim.list_settings() to fairclaim_operator, fairclaim_observer;
