-- As take_shared, in a database with limits: first come first served, but of each tenant only as
-- many jobs as its limits leave room for. It looks at the oldest rows without a lock, asks for the
-- room of their tenants, and then locks exactly the chosen rows. The look is an older statement, so
-- another row may stand in the place of one that has gone meanwhile: the number, which is never
-- used twice, tells. The rows of tenants without room are passed over: where they hide others, it
-- looks further twice, and with p_far to the end: a call that has nothing at all goes as far as it
-- must. The rows of tenants that stay at their limit leave the shared lanes with the next tick.
create or replace function fairclaim_internal.take_bounded(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_limit int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  p_far boolean,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
  -- how many rows it looks at
  v_look int := case when p_far then 2000 else 0 end + 2 * p_limit + 64;
  v_after bigint := 0;                        -- what was looked at before
  v_places tid[];
  v_seqs bigint[];
  v_tenants uuid[];
  v_counts int[];
  v_wanted int[];
  v_numbers uuid[];                           -- each tenant once, in the order of its first row
  v_left int := p_limit;
  v_taken ready[];
begin
  for v_pass in 1 .. case when p_far then 1000000 else 3 end loop
    select array_agg(oldest.place order by oldest.seq), array_agg(oldest.seq order by oldest.seq),
           array_agg(oldest.tenant_id order by oldest.seq)
      into v_places, v_seqs, v_tenants
      from (select waiting.place, waiting.seq, waiting.tenant_id
              from unnest(p_lanes, p_floors) shared(lane_id, floor)
             cross join lateral (
               select ready.ctid as place, ready.seq, ready.tenant_id from ready
                where ready.lane_id = shared.lane_id
                  and ready.seq >= greatest(shared.floor, v_after)
                order by ready.lane_id, ready.seq limit v_look) waiting
             order by waiting.seq limit v_look) oldest;
    exit when v_places is null;
    select array_agg(part.tenant_id order by part.first), array_agg(part.jobs order by part.first)
      into v_numbers, v_wanted
      from (select given.tenant_id, min(given.ordinal) as first,
                   least(count(*), v_left)::int as jobs
              from unnest(v_tenants) with ordinality given(tenant_id, ordinal)
             group by given.tenant_id) part;
    v_counts := room_under_limits(p_queue, null, null, v_numbers, v_wanted, v_left, p_elsewhere,
      p_here || jobs);
    with chosen as materialized (
      select ranked.place, ranked.seq
        from (select row_given.*,
                     row_number() over (partition by row_given.tenant_id order by row_given.seq)
                       as number
                from unnest(v_places, v_seqs, v_tenants) row_given(place, seq, tenant_id)) ranked
       where ranked.number <= v_counts[array_position(v_numbers, ranked.tenant_id)]
       order by ranked.seq limit v_left),
    taken as materialized (
      select waiting.place, waiting.job
        from chosen
       cross join lateral (
         select ready.ctid as place, ready as job from ready
          where ready.ctid = chosen.place and ready.seq = chosen.seq
            for update skip locked) waiting),
    gone as (
      delete from ready where ready.ctid = any (array(select taken.place from taken)))
    select array_agg(taken.job) into v_taken from taken;
    jobs := jobs || v_taken;
    v_left := p_limit - coalesce(cardinality(jobs), 0);
    exit when v_left = 0 or cardinality(v_places) < v_look or v_pass >= 3 and jobs is not null;
    v_after := v_seqs[cardinality(v_seqs)] + 1;
    v_look := greatest(v_look, least(v_look * 4, 4000));
  end loop;
end
$$;

comment on function fairclaim_internal.take_bounded(text, bigint[], bigint[], int,
    fairclaim_internal.ready[], fairclaim_internal.ready[], boolean) is
'Takes jobs out of shared lanes, under the limits of their tenants.';
