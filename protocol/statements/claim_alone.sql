select 'claimed' as kind, c.status, c.id, c.tenant_id, c.type, c.payload, nullif(c.metadata, '{}'::jsonb) as metadata,
       c.attempts::int4 as attempts, c.max_attempts::int4 as max_attempts, c.attempts_left::int4 as attempts_left, c.lost::int4 as lost,
       c.timeout, c.created_at, c.lease_token, c.queue
  from fairclaim.claim_jobs(p_worker_id => $1::text, p_queues => $2::text[], p_limit => 1, p_types => $3::text[],
         p_lease => $4::float8, p_lease_token => $5::uuid, p_alone => true) c
