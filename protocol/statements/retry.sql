select r.id, r.status
  from fairclaim.retry_jobs(p_tenant_id => $1::uuid, p_ids => $2::uuid[]) r
