//! The tick as maintenance of a whole fleet: how often it looks, what it does when one part of it fails, and when it is wanted again.

mod event_triggers;
mod rounds;
mod sequence;
mod steps;

use crate::support::{Client, TestDb};

/// As installed: everything is looked at every half second, for all who call.
async fn half_a_second(db: &TestDb) {
    db.owner()
        .await
        .batch_execute("update fairclaim_internal.setting set tick_every = default")
        .await
        .expect("tick_every");
}

async fn number(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}
