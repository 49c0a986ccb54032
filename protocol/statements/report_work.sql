select r.report_in, r.by_seconds
  from fairclaim.report_work(p_worker_id => $1::text, p_host => $2::text, p_version => $3::text, p_queues => $4::text[],
         p_slots => $5::int4[], p_types => $6::text[], p_silent_for => $7::float8, p_tenants => $8::uuid[],
         p_tenant_queues => $9::text[], p_jobs => $10::int4[], p_seconds => $11::float8[]) r
