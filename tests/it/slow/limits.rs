//! Limits of running jobs with 50,000 jobs.

use crate::limits::exact::limits_hold_for;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn no_limit_is_exceeded_at_any_moment_of_fifty_thousand_jobs() {
    limits_hold_for(50_000).await;
}
