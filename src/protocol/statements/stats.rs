//! The statements that read figures.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const TENANT_STATS: Statement = Statement {
    sql: "select t.tenant_id, t.tenant, t.queue, t.weight, t.waiting, t.at_least, \
          t.oldest_waiting, t.backlogged, t.running, t.limits, \
          t.dispatched_1m, t.claimed_1m, t.finished_1m, t.failed_1m, t.seconds_1m, \
          t.dispatched_1h, t.claimed_1h, t.finished_1h, t.failed_1h, t.seconds_1h, \
          t.wait_p50, t.wait_p99, t.run_p50, t.run_p99, t.sampled, \
          t.share_1m, t.fair_share_1m, t.share_1h, t.fair_share_1h, t.age, t.next, t.more \
          from fairclaim.tenant_stats(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_limit => $3::int4, p_after => $4::text, p_sort => $5::text, p_search => $6::text) t",
    types: &[Type::UUID, Type::TEXT, Type::INT4, Type::TEXT, Type::TEXT, Type::TEXT],
};

pub(crate) const QUEUE_STATS: Statement = Statement {
    sql: "select q.queue, q.paused, q.waiting, q.tenants_waiting, q.oldest_waiting, \
          q.scheduled, q.running, q.at_least, q.limits, \
          q.dispatched_1m, q.claimed_1m, q.finished_1m, q.failed_1m, q.seconds_1m, \
          q.dispatched_1h, q.claimed_1h, q.finished_1h, q.failed_1h, q.seconds_1h, \
          q.wait_p50, q.wait_p99, q.run_p50, q.run_p99, q.sampled, \
          q.backlogged_1m, q.jain_claims_1m, q.jain_seconds_1m, \
          q.backlogged_1h, q.jain_claims_1h, q.jain_seconds_1h, q.age \
          from fairclaim.queue_stats(p_queue => $1::text) q",
    types: &[Type::TEXT],
};

pub(crate) const WHY_WAITING: Statement = Statement {
    sql: "select w.reason, w.detail, w.queue, w.type, w.position, w.at_least, w.due_in, \
          w.limit_kind, w.max_running, w.running \
          from fairclaim.why_waiting(p_tenant_id => $1::uuid, p_id => $2::uuid) w",
    types: &[Type::UUID, Type::UUID],
};
