-- The given queues in their order (null: every queue that has lanes, by name), less the paused ones.
-- The names of queues with lanes are hopped to through the two walking indexes: one hop a queue.
create or replace function fairclaim_internal.open_queues(p_queues text[]) returns text[]
language plpgsql stable
as $$
declare
  v_queues text[] := p_queues;
begin
  if v_queues is null then
    with recursive
      own(q) as (
        (select l.queue from lane l where l.tenant_id is not null order by l.queue limit 1)
        union all
        select (select l.queue from lane l where l.tenant_id is not null and l.queue > own.q order by l.queue limit 1)
          from own where own.q is not null),
      shared(q) as (
        (select l.queue from lane l where l.tenant_id is null order by l.queue limit 1)
        union all
        select (select l.queue from lane l where l.tenant_id is null and l.queue > shared.q order by l.queue limit 1)
          from shared where shared.q is not null)
    select array_agg(u.q) into v_queues
      from (select own.q from own where own.q is not null union select shared.q from shared where shared.q is not null order by 1) u;
  end if;
  if exists (select from queue q where q.paused_at is not null) then
    select array_agg(x.q order by x.o) into v_queues
      from unnest(v_queues) with ordinality x(q, o)
     where not exists (select from queue p where p.name = x.q and p.paused_at is not null);
  end if;
  return v_queues;
end
$$;

comment on function fairclaim_internal.open_queues(text[]) is 'The given queues, or all that have lanes, less the paused ones.';
