select c.cancelled
  from fairclaim.settle_and_claim(p_worker_id => $1::text, p_ids => null, p_attempts => null, p_lease_tokens => null,
         p_outcomes => null, p_results => null, p_errors => null, p_delays => null, p_queues => null, p_limit => 0) c
 where c.cancelled is not null
