-- A wish to cancel can meet a settlement, a promotion or a claim in a transaction that is still open: then the job waits again with the
-- wish beside it, and ends here. A wish goes when its job has ended or is gone, and never before: what is neither is running, or held
-- by somebody whose transaction is open. Nearly always there is no wish at all. Lock order: those of end_waiting, then
-- cancel_request (skip locked). Each wish costs a few look-ups by id, at most; `offset 0` keeps them from becoming a join that reads all of
-- `running` or `finished`.
create or replace function fairclaim_internal.end_cancelled(p_now timestamptz, p_size int, p_skip uuid[]) returns int
language plpgsql
set jit = off
set enable_seqscan = off
as $$
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_n int;
begin
  select array_agg(w.id), array_agg(w.tenant_id) into v_ids, v_tenants
    from (select c.id, c.tenant_id from cancel_request c
           where c.id <> all (p_skip)
             and not exists (select from running r where r.id = c.id offset 0)
             and not exists (select from finished f where f.id = c.id and f.tenant_id = c.tenant_id offset 0)
           order by c.request_id limit p_size) w;
  if v_ids is not null then
    perform end_waiting(v_ids, v_tenants, p_now);
  end if;
  delete from cancel_request c
   where c.ctid = any (array(
     select z.ctid from cancel_request z
      where exists (select from finished f where f.id = z.id and f.tenant_id = z.tenant_id offset 0)
         or not exists (select from job j where j.tenant_id = z.tenant_id and j.id = z.id offset 0)
      limit p_size for update skip locked));
  get diagnostics v_n = row_count;
  return v_n;
end
$$;

comment on function fairclaim_internal.end_cancelled(timestamptz, int, uuid[]) is
'Ends what waits although somebody asked to cancel it, as cancelled; deletes the wishes of jobs that have ended, and returns how many.';
