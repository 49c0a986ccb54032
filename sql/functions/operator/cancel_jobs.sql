-- Lock order: ready, scheduled, running, each skip locked: a locked row is being claimed, promoted or settled at this moment.
create or replace function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform fairclaim.check_scope(p_tenant_id, p_ids);
  with known as materialized (
    select j.id, j.tenant_id, j.queue, j.type from fairclaim.job j
     where j.id = any (p_ids) and (p_tenant_id is null or j.tenant_id = p_tenant_id)),
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
  with held as materialized (
    select r.ctid c from fairclaim.running r
     where r.id = any (p_ids) and (p_tenant_id is null or r.tenant_id = p_tenant_id) and not r.cancel_requested for update skip locked)
  update fairclaim.running r set cancel_requested = true where r.ctid = any (array(select held.c from held));
  return query select * from fairclaim.status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.cancel_jobs(uuid, uuid[]) is
'Cancels jobs: a waiting one ends as cancelled at once; a running one is marked, its worker is told at its next heartbeat, and the answer is processing. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only; then a waiting job is found without its tenant''s index, which is slower.
Errors: JQ002, JQ004.';
