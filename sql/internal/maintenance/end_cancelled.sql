-- A wish to cancel can meet a settlement, a promotion or a claim in a transaction that is still
-- open. Then the job waits again with the wish beside it, and ends here. A wish goes when its job
-- has ended or is gone, and never before: a job that is neither is running, or is held by a
-- transaction that is open. Nearly always there is no wish at all.
--
-- Lock order: that of end_waiting, then cancel_request (skip locked). Each wish costs a few
-- look-ups by id at most; `offset 0` keeps them from becoming a join that reads all of `running` or
-- `finished`. Sequential scans are off for the same reason: the statistics of these tables say
-- "empty" at the wrong moment.
create or replace function fairclaim_internal.end_cancelled(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
set jit = off
set enable_seqscan = off
as $$
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_count int;
begin
  select array_agg(wish.id), array_agg(wish.tenant_id) into v_ids, v_tenants
    from (select cancel_request.id, cancel_request.tenant_id from cancel_request
           where cancel_request.id <> all (p_skip)
             and not exists (
                   select from running where running.id = cancel_request.id offset 0)
             and not exists (
                   select from finished
                    where finished.id = cancel_request.id
                      and finished.tenant_id = cancel_request.tenant_id offset 0)
           order by cancel_request.request_id limit p_size) wish;
  if v_ids is not null then
    perform end_waiting(v_ids, v_tenants, p_now);
  end if;
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select settled.ctid from cancel_request settled
      where exists (
              select from finished
               where finished.id = settled.id and finished.tenant_id = settled.tenant_id offset 0)
         or not exists (
              select from job
               where job.tenant_id = settled.tenant_id and job.id = settled.id offset 0)
      limit p_size for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function fairclaim_internal.end_cancelled(timestamptz, int, uuid[]) is
'Ends waiting jobs that were asked to cancel as cancelled; deletes the wishes of jobs that have ended, and returns how many.';
