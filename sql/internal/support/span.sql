-- Spans are rounded to the unit in which people say them.
create or replace function fairclaim_internal.span(p_seconds float8) returns text
language sql immutable parallel safe
as $$
  select case when rounded.seconds < 120 then round(rounded.seconds) || ' s'
              when rounded.seconds < 7200 then round(rounded.seconds / 60) || ' min'
              when rounded.seconds < 172800 then round(rounded.seconds / 3600) || ' h'
              else round(rounded.seconds / 86400) || ' days' end
    from (select abs(p_seconds) as seconds) rounded
$$;

comment on function fairclaim_internal.span(float8) is
'Says a span of seconds as people do, without its sign: 90 s, 12 min, 5 h, 3 days.';
