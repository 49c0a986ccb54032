//! Lanes under stress, with half a million jobs at a time: a fault of one job in a million was found this way.

use std::time::Duration;

use crate::{
    lanes_load::{Load, check},
    support::TestDb,
};

/// As many as leave a small machine time for the other slow tests within an hour.
const JOBS: usize = 500_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn nothing_is_lost_or_doubled_in_half_a_million_jobs() {
    let db = TestDb::new().await;
    let load = Load {
        dispatchers: 16,
        claimers: 5,
        batch_max: 60,
        time_max: Duration::from_secs(3600),
        jobs_max: JOBS,
    };
    let books = load.run(&db).await;
    check(&db, &books).await;
    assert!(books.dispatched >= JOBS, "not enough jobs in an hour: {books:?}");
}
