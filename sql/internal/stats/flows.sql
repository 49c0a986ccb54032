-- What both statistics functions tell about the windows and the samples of a row, under the names
-- of their columns.
create or replace function fairclaim_internal.flows(
  p_stat fairclaim_internal.stat,
  p_now timestamptz
) returns table (
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int, age float8
)
language plpgsql stable
as $$
declare
  v_minute float8[] := array(
    select round(window_sum(p_stat.minute, place.n, p_stat.minute_slot, 60, p_now)::numeric, 2)
      from generate_series(1, 5) place(n) order by place.n);
  v_hour float8[] := array(
    select round(window_sum(p_stat.hour, place.n, p_stat.hour_slot, 3600, p_now)::numeric, 2)
      from generate_series(1, 5) place(n) order by place.n);
begin
  return query
  select greatest(v_minute[1], 0), greatest(v_minute[2], 0), v_minute[3], v_minute[4], v_minute[5],
         greatest(v_hour[1], 0), greatest(v_hour[2], 0), v_hour[3], v_hour[4], v_hour[5],
         quantile(p_stat.waits, 0.5), quantile(p_stat.waits, 0.99),
         quantile(p_stat.runs, 0.5), quantile(p_stat.runs, 0.99),
         coalesce(cardinality(p_stat.runs), 0),
         extract(epoch from p_now - p_stat.as_of)::float8;
end
$$;

comment on function fairclaim_internal.flows(fairclaim_internal.stat, timestamptz) is
'The windows and the samples of a row of stat.';
