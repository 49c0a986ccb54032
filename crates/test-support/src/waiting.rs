//! Waiting for something that another session or the server does, without guessing how long it takes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::Client;

/// How often to look again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Asks until the answer is there; fails the test when that takes longer than `limit`.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The number of a session's server process.
pub async fn process_of(client: &Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.expect("pg_backend_pid").get(0)
}
