-- Fairness is measured among the tenants that had a backlog for the whole window: the others could
-- not have been served more. With x = service / weight of each of n tenants, Jain's index is
-- (sum x)^2 / (n * sum x^2): 1 when all got the same for their weight, 1/n when one got everything
-- (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984). Bounded: the first 10,000 backlogged tenants.
create or replace function fairclaim_internal.service_shares(
  p_queue text,
  p_width int,
  p_now timestamptz,
  out tenants int,
  out claims float8,
  out seconds float8,
  out weights float8,
  out by_claims float8,
  out by_seconds float8
)
language plpgsql stable
as $$
begin
  select count(*), sum(served.claims), sum(served.seconds), sum(served.weight),
         sum(served.claims / served.weight) ^ 2
         / nullif(count(*) * sum((served.claims / served.weight) ^ 2), 0),
         sum(served.seconds / served.weight) ^ 2
         / nullif(count(*) * sum((served.seconds / served.weight) ^ 2), 0)
    into tenants, claims, seconds, weights, by_claims, by_seconds
    from (
      select greatest(
               case p_width when 60
                 then window_sum(stat.minute, 2, stat.minute_slot, 60, p_now)
                 else window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) end, 0) as claims,
             case p_width when 60
               then window_sum(stat.minute, 5, stat.minute_slot, 60, p_now)
               else window_sum(stat.hour, 5, stat.hour_slot, 3600, p_now) end as seconds,
             weight_of(stat.tenant_id, p_queue)::float8 as weight
        from stat
       where stat.queue = p_queue and not stat.whole
         and stat.backlogged_since <= p_now - make_interval(secs => p_width)
       limit 10000) served;
end
$$;

comment on function fairclaim_internal.service_shares(text, int, timestamptz) is
'What the tenants of a queue that had a backlog for a whole window got in it, their weights, and Jain''s index of service by weight.';
