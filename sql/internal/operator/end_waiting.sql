-- Lock order: ready, scheduled, each skip locked: a locked row is being claimed, moved or promoted at this moment. Waiting rows are found
-- among the own lanes' or the shared lanes' rows of the tenant, by index whatever the statistics say.
create or replace function fairclaim_internal.end_waiting(p_ids uuid[], p_tenants uuid[], p_now timestamptz) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  with known as materialized (
    select j.id, j.tenant_id, j.queue
      from unnest(p_ids, p_tenants) x(i, t)
     cross join lateral (select j.* from job j where j.tenant_id = x.t and j.id = x.i offset 0) j),
  waiting as materialized (
    select y.c from known k
     cross join lateral (
       select y.ctid c from ready y
        where y.tenant_id = k.tenant_id and (y.lane_id >> 32) = any (array[0, lane_group(k.queue)]) and y.id = k.id for update skip locked) y),
  gone as (
    delete from ready y where y.ctid = any (array(select waiting.c from waiting)) returning y.id, y.tenant_id, y.attempts),
  due as materialized (
    select s.ctid c from scheduled s where s.id = any (array(select known.id from known)) for update skip locked),
  gone2 as (
    delete from scheduled s where s.ctid = any (array(select due.c from due)) returning s.id, s.tenant_id, s.attempts)
  insert into finished
  select g.id, g.tenant_id, p_now, g.attempts, 'cancelled', null, null, null
    from (select * from gone union all select * from gone2) g;
end
$$;

comment on function fairclaim_internal.end_waiting(uuid[], uuid[], timestamptz) is
'Ends those of these jobs that wait, pending or scheduled, as cancelled. One whose row another transaction holds is passed over.';
