-- Rows of `ready` whose lane does not exist: claims never see them. There should be none, and tick puts them back. Bounded: 1,000
-- lane numbers, hopped to through the index, and of the stray ones at most 1,000 rows.
create or replace function fairclaim.doctor_strays() returns bigint
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive hop(lane_id) as (
    (select y.lane_id from ready y order by y.lane_id limit 1)
    union all
    select (select y.lane_id from ready y where y.lane_id > hop.lane_id order by y.lane_id limit 1)
      from hop where hop.lane_id is not null),
  stray as materialized (
    select z.lane_id from (select hop.lane_id from hop where hop.lane_id is not null limit 1000) z
     where not exists (select from lane l where l.lane_id = z.lane_id))
  select count(*) from (select from ready y where y.lane_id = any (array(select stray.lane_id from stray)) limit 1000) x
$$;

comment on function fairclaim.doctor_strays() is
'How many waiting jobs stand in no lane (of the first 1,000 lanes; counted to 1,000), for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_strays() to fairclaim_operator, fairclaim_observer;
