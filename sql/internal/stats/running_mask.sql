-- `running` is small, and a plain scan of it the cheapest look. From 500 rows on, every second id
-- is looked at, from 1,000 on every fourth, and so on: those whose hash has no bit of the mask.
create or replace function fairclaim_internal.running_mask(out mask int, out jobs bigint)
language plpgsql volatile
set enable_seqscan = on
as $$
begin
  jobs := (select count(*) from running);
  mask := 2 ^ greatest(0, ceil(log(2, greatest(jobs, 1) / 500.0)))::int - 1;
end
$$;

comment on function fairclaim_internal.running_mask() is
'How many jobs run, and which of their ids are looked at: those whose hash has no bit of the mask.';
