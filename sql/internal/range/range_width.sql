-- Ranges are few and wide: before PostgreSQL 18 each range costs every statement locks. The width
-- is a quarter of the retention, between an hour and seven days. From 16 ranges on it doubles with
-- every four of them, so that their number stays bounded although none can be dropped: the largest
-- width yields, and with it the number grows by four when the time that they span has doubled.
create or replace function fairclaim_internal.range_width(p_count bigint default 0) returns interval
language sql stable
as $$
  select date_trunc('minute',
           least(interval '7 days', greatest(interval '1 hour', setting.retention / 4)))
         * (2 ^ least(greatest((p_count - 12) / 4, 0), 12))
    from fairclaim_internal.setting
$$;

comment on function fairclaim_internal.range_width(bigint) is
'How wide the next range of ids is to be, when there are so many.';
