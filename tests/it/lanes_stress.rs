//! Lanes under stress: dispatchers, claims and ticks race for lanes that close at once, and no job is lost or doubled.

use std::time::Duration;

use crate::{
    lanes_load::{Load, check},
    support::TestDb,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_lanes_open_and_close() {
    let db = TestDb::new().await;
    let load = Load {
        dispatchers: 5,
        claimers: 5,
        batch_max: 12,
        time_max: Duration::from_secs(12),
        jobs_max: usize::MAX,
    };
    let books = load.run(&db).await;
    check(&db, &books).await;
}
