select e.id, e.attempts, e.accepted, e.cancel_requested
  from fairclaim.extend_leases(p_worker_id => $1::text, p_ids => $2::uuid[], p_attempts => $3::int4[], p_lease_tokens => $4::uuid[],
         p_lease => $5::float8) e
