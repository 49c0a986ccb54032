//! What people set for tenants and queues: weights, limits, quotas and pauses, declared or overridden.

mod audit;
mod declared;
mod overrides;
mod pauses;
mod weights;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::support::Client;

/// Base, override and what is in force.
type Layers = (Option<i32>, Option<i32>, Option<i32>);

fn layers(row: &Row) -> Layers {
    (row.get("base"), row.get("override"), row.get("in_force"))
}

/// Calls one of the functions that set something, with its arguments as SQL; answers its first row.
async fn set(operator: &Client, call: &str) -> Row {
    let sql = format!("select * from {call}");
    let rows = operator.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.into_iter().next().unwrap_or_else(|| panic!("{sql}: no row"))
}

/// The limits on running jobs that claims read: subject, whose, queue, how many.
async fn running_limits(owner: &Client) -> Vec<(String, Uuid, String, i32)> {
    let sql = "select subject, tenant_id, queue, max_running from fairclaim_internal.running_limit
                order by subject, tenant_id, queue";
    let rows = owner.query(sql, &[]).await.expect(sql);
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// All that is set, and all that is in force.
async fn everything(owner: &Client) -> Vec<String> {
    let sql = "select to_jsonb(b) - 'bound_id' - 'set_at' || '{}' from fairclaim_internal.bound b
               union all select to_jsonb(b) from fairclaim_internal.tenant_weight b
               union all select to_jsonb(b) - 'seen_at' from fairclaim_internal.running_limit b
               union all select to_jsonb(b) from fairclaim_internal.waiting_limit b
               union all select to_jsonb(b) from fairclaim_internal.audit b";
    let sql = format!("select x::text from ({sql}) x(x) order by 1");
    owner.query(&sql, &[]).await.expect(&sql).iter().map(|row| row.get(0)).collect()
}

async fn text(session: &Client, sql: &str) -> String {
    session.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}
