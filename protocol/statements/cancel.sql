select c.id, c.status
  from fairclaim.cancel_jobs(p_tenant_id => $1::uuid, p_ids => $2::uuid[]) c
