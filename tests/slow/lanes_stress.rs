//! Lanes under stress, with two million jobs: a fault of one job in a million was found this way.

use std::time::Duration;

use crate::{
    lanes_load::{Load, check},
    support::TestDb,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_in_two_million_jobs() {
    let db = TestDb::new().await;
    let load = Load {
        dispatchers: 16,
        claimers: 5,
        batch_max: 60,
        time_max: Duration::from_secs(3 * 3600),
        jobs_max: 2_000_000,
    };
    let books = load.run(&db).await;
    check(&db, &books).await;
    assert!(books.dispatched >= 2_000_000, "not enough jobs in three hours: {books:?}");
}
