-- Rows of `ready` whose lane does not exist: claims never see them. There should be none, and tick
-- puts them back. Bounded: 1,000 lane numbers, hopped to through the index, and of the stray ones
-- at most 1,000 rows.
create or replace function fairclaim_internal.findings_of_strays()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive hop(lane_id) as (
    (select ready.lane_id from ready order by ready.lane_id limit 1)
    union all
    select (select ready.lane_id from ready
             where ready.lane_id > hop.lane_id order by ready.lane_id limit 1)
      from hop where hop.lane_id is not null),
  stray as materialized (
    select met.lane_id
      from (select hop.lane_id from hop where hop.lane_id is not null limit 1000) met
     where not exists (select from lane where lane.lane_id = met.lane_id)),
  found as (
    select count(*) from (
      select from ready where ready.lane_id = any (array(select stray.lane_id from stray))
       limit 1000) rows)
  select case when found.count = 0 then 'ok' else 'warning' end, 'strays',
         case when found.count = 0 then 'every waiting job stands in a lane'
              else counted(found.count, 'waiting job') || ' in no lane, which no claim finds' end,
         case when found.count > 0
              then 'ticks put them back within minutes; if they stay, report it' end
    from found
$$;

comment on function fairclaim_internal.findings_of_strays() is
'Finds waiting jobs that stand in no lane.';
