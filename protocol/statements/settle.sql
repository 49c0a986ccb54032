select s.id, s.attempts, s.kind, s.status
  from fairclaim.settle_jobs(p_worker_id => $1::text, p_ids => $2::uuid[], p_attempts => $3::int4[], p_lease_tokens => $4::uuid[],
         p_outcomes => $5::text[], p_results => $6::text[], p_errors => $7::text[], p_delays => $8::float8[]) s
