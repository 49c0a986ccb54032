//! Waiting for something that another session or the server does, without guessing how long it
//! takes.

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

/// Waits until every transaction that is open now, in any database of the server, has ended. While
/// one is, no session can mark the entries of deleted rows as dead, so a call reads more pages than
/// it does in peace. Whoever counts pages waits for this first.
pub async fn until_open_transactions_end(client: &Client) {
    let now = "select pg_current_xact_id()::text::bigint";
    let now: i64 = client.query_one(now, &[]).await.expect("pg_current_xact_id").get(0);
    let ended = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint > $1";
    until("older transactions end", Duration::from_secs(240), || async {
        client.query_one(ended, &[&now]).await.expect("a snapshot").get::<_, bool>(0).then_some(())
    })
    .await;
}

/// The number of a session's server process.
pub async fn process_of(client: &Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.expect("pg_backend_pid").get(0)
}
