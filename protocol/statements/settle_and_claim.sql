select c.kind, c.status, c.id, c.tenant_id, c.type, c.payload, nullif(c.metadata, '{}'::jsonb) as metadata,
       c.attempts::int4 as attempts, c.max_attempts::int4 as max_attempts, c.attempts_left::int4 as attempts_left, c.lost::int4 as lost,
       c.timeout, c.created_at, c.lease_token, c.next_cursor, c.cancelled, c.suspect_waiting
  from fairclaim.settle_and_claim(p_worker_id => $1::text, p_ids => $2::uuid[], p_attempts => $3::int4[],
         p_lease_tokens => $4::uuid[], p_outcomes => $5::text[], p_results => $6::text[], p_errors => $7::text[],
         p_delays => $8::float8[], p_queues => $9::text[], p_limit => $10::int4, p_types => $11::text[],
         p_lease => $12::float8, p_cursor => $13::text, p_lease_token => $14::uuid, p_idle_for => $15::float8) c
 where c.kind <> 'settled'::text or c.status <> 'completed'::text
