-- Settles with any outcome, "lost" (tick only) among them. Looks at `running` by id, never through a join whose other side could
-- come first. Lock order: running -> (finished, attempt_error, scheduled, ready: inserts only).
create or replace function fairclaim_internal.settle_mixed(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results jsonb[],
  p_errors jsonb[],
  p_delays float8[]
) returns table (id uuid, attempts int, kind text, status text)
language plpgsql
set enable_hashjoin = on                     -- of the ended attempts with what was given for them: never of `running` itself
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_placed boolean := current_setting('transaction_isolation') = 'read committed';      -- else a tick places what waits again (to_ready)
  v_done bigint[];                            -- which of the given ones were accepted
  v_status text[];
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_again timestamptz;                        -- when the first of them is due again
  v_freed uuid[];                             -- tenants under whose limits there is room now
begin
  with given as (
    select distinct on (x.i, x.a, x.k) x.*
      from unnest(p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays)
           with ordinality x(i, a, k, oc, res, err, dl, o)
     order by x.i, x.a, x.k, x.o),
  held as materialized (
    delete from running r
     where r.id = any (p_ids)
       and case when (r.id, r.attempt::int, r.lease_token) in (
             select x.i, x.a, x.k from unnest(p_ids, p_attempts, p_lease_tokens) x(i, a, k)) then true end
    returning r.*),
  gone as materialized (
    select x.o, h.id, h.tenant_id, h.attempt, h.limited, exists (select from cancel_request c where c.id = h.id) cancel_requested, x.oc, x.res, clip_error(x.err) err, x.dl,
           case when x.oc = 'lost' then h.worker_id else p_worker_id end worker,
           (h.attempts_left - (x.oc in ('retry', 'fail'))::int)::smallint left2, (h.lost + (x.oc = 'lost')::int)::smallint lost2
      from held h join given x on x.i = h.id and x.a = h.attempt and x.k = h.lease_token),
  timed as materialized (        -- the pause before a retry doubles with every failure; the key to failures is in `job`
    select g.*, coalesce(case when g.oc = 'release' then 0 else g.dl end, case when g.oc = 'retry' then
        least(15 * 2 ^ least((select j.max_attempts from job j where j.tenant_id = g.tenant_id and j.id = g.id) - g.left2 - 1, 10), 3600)
        * (0.8 + random() * 0.4) else 0 end) pause
      from gone g),
  ended as materialized (
    select t.*, case
        when t.oc = 'complete' then 'completed'
        when t.oc = 'fail' then 'failed'
        when t.oc = 'cancel' or t.cancel_requested then 'cancelled'
        when t.oc = 'retry' and t.left2 <= 0 or t.oc = 'lost' and t.lost2 >= 3 then 'failed'
        when t.pause <= 0 and v_placed then 'pending'
        else 'scheduled' end st
      from timed t),
  final as (
    insert into finished
    select e.id, e.tenant_id, v_now, e.attempt, e.st, e.worker, e.res, e.err from ended e
     where e.st in ('completed', 'failed', 'cancelled')),
  history as (
    insert into attempt_error
    select e.id, e.tenant_id, e.attempt, v_now, e.worker, e.err from ended e where e.oc in ('retry', 'fail', 'lost')),
  later as (
    insert into scheduled
    select v_now + make_interval(secs => e.pause), e.id, e.tenant_id, e.attempt, e.left2, e.lost2 from ended e where e.st = 'scheduled')
  select array_agg(e.o), array_agg(e.st), array_agg(e.tenant_id) filter (where e.st = 'pending'),
         array_agg(e.id) filter (where e.st = 'pending'), array_agg(e.attempt) filter (where e.st = 'pending'),
         array_agg(e.left2) filter (where e.st = 'pending'), array_agg(e.lost2) filter (where e.st = 'pending'),
         v_now + make_interval(secs => min(e.pause) filter (where e.st = 'scheduled')),
         array_agg(distinct e.tenant_id) filter (where e.limited)
    into v_done, v_status, v_tenants, v_ids, v_attempts, v_left, v_lost, v_again, v_freed
    from ended e;
  if v_ids is not null then
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_again) + 1000 then
    perform wake_before(v_now, v_again + interval '1 s');
  end if;
  if v_freed is not null and coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
    perform wake_freed(v_now, v_freed);
  end if;
  return query
  select z.id, z.attempt, z.kind, case z.kind when 'settled' then z.status
           when 'already' then case z.outcome when 'complete' then 'completed' when 'fail' then 'failed' else 'cancelled' end end
    from (select u.id, u.attempt, u.outcome, u.place, d.status,
                 case when d.place is not null then 'settled' else stale_kind(p_worker_id, u.id, u.attempt, u.outcome) end as kind
            from unnest(p_ids, p_attempts, p_outcomes) with ordinality u(id, attempt, outcome, place)
            left join unnest(v_done, v_status) d(place, status) on d.place = u.place offset 0) z
   order by z.place;
end
$$;

comment on function fairclaim_internal.settle_mixed(text, uuid[], int[], uuid[], text[], jsonb[], jsonb[], float8[]) is
'Settles attempts with any mix of outcomes.';
