-- Spans are rounded to the unit in which people say them.
create or replace function fairclaim_internal.span(p_seconds float8) returns text
language sql immutable parallel safe
as $$
  select case when s.seconds < 120 then round(s.seconds) || ' s'
              when s.seconds < 7200 then round(s.seconds / 60) || ' min'
              when s.seconds < 172800 then round(s.seconds / 3600) || ' h'
              else round(s.seconds / 86400) || ' days' end
    from (select abs(p_seconds) as seconds) s
$$;

comment on function fairclaim_internal.span(float8) is
'Says a span of seconds as people do, without its sign: 90 s, 12 min, 5 h, 3 days.';
