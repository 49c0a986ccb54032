set role fairclaim_owner;
select count(*), extract(epoch from min(completed_at) - begun), extract(epoch from max(completed_at) - begun)
  from fairclaim_internal.finished, (select min(completed_at) as begun from fairclaim_internal.finished) f
 group by tenant_id, begun;
