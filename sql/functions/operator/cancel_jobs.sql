-- Lock order: ready, scheduled, each skip locked: a locked row is being claimed or promoted at this moment. What runs, or is about
-- to, gets a row in cancel_request, which nobody waits for: heartbeats and settlements look for it.
create or replace function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_ids uuid[];
  v_tenants uuid[];
begin
  perform fairclaim.check_scope(p_tenant_id, p_ids);
  select array_agg(k.id), array_agg(k.tenant_id) into v_ids, v_tenants from fairclaim.find_jobs(p_tenant_id, p_ids) k;
  with known as materialized (
    select j.id, j.tenant_id, j.queue, j.type
      from unnest(v_ids, v_tenants) x(i, t)
     cross join lateral (select j.* from fairclaim.job j where j.tenant_id = x.t and j.id = x.i offset 0) j),
  waiting as materialized (
    select y.c from known k
     cross join lateral (
       select l.lane_id from fairclaim.lane l
        where l.queue = k.queue and l.type = k.type and l.tenant_id is null
        union all
       select l.lane_id from fairclaim.lane l
        where l.queue = k.queue and l.type = k.type and l.tenant_id = k.tenant_id
          and l.turn = uuid_hash_extended(k.tenant_id, hashtextextended(k.queue, 0))) l
     cross join lateral (
       select y.ctid c from fairclaim.ready y
        where y.tenant_id = k.tenant_id and y.lane_id = l.lane_id and y.id = k.id for update skip locked) y),
  gone as (
    delete from fairclaim.ready y where y.ctid = any (array(select waiting.c from waiting)) returning y.id, y.tenant_id, y.attempts),
  due as materialized (
    select s.ctid c from fairclaim.scheduled s where s.id = any (array(select known.id from known)) for update skip locked),
  gone2 as (
    delete from fairclaim.scheduled s where s.ctid = any (array(select due.c from due)) returning s.id, s.tenant_id, s.attempts)
  insert into fairclaim.finished
  select g.id, g.tenant_id, v_now, g.attempts, 'cancelled', null, null, null
    from (select * from gone union all select * from gone2) g;
  insert into fairclaim.cancel_request
  select x.i, x.t, v_now from unnest(v_ids, v_tenants) x(i, t)
   where not exists (select from fairclaim.finished f where f.id = x.i and f.tenant_id = x.t)
     and not exists (select from fairclaim.cancel_request c where c.id = x.i);
  return query select * from fairclaim.status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.cancel_jobs(uuid, uuid[]) is
'Cancels jobs: a waiting one ends as cancelled at once; a running one is marked, its worker is told at its next heartbeat, and the answer is processing. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only; then a waiting job is found without its tenant''s index, which is slower.
Errors: JQ002, JQ004.';
