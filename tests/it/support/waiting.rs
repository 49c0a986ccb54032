//! Waiting for something that another session or the server does, without guessing how long it takes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio_postgres::Client;

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

/// Waits until a session waits for a lock. `observer` is a session of the owner's login.
pub async fn until_blocked(observer: &Client, process: i32) {
    until("a session waits for a lock", Duration::from_secs(10), || async {
        let blocked = "select cardinality(pg_blocking_pids($1)) > 0";
        observer
            .query_one(blocked, &[&process])
            .await
            .expect("pg_blocking_pids")
            .get::<_, bool>(0)
            .then_some(())
    })
    .await;
}
