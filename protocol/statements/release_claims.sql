select r.lease_token, r.jobs
  from fairclaim.release_claims(p_worker_id => $1::text, p_lease_tokens => $2::uuid[]) r
