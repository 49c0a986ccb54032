//! Nobody waits for an application: a transaction of somebody else's that stays open delays nobody but itself.
//!
//! The minute of a slow application is a clock that is moved by more than a minute, tick by tick: what depends on time (leases,
//! lanes that close, holders that ticks pass) goes by that clock. What must not wait is measured by the real one.

mod dispatcher;
mod everybody;
mod others;
mod settler;
mod ticks;

use std::{future::Future, time::Duration};

use uuid::Uuid;

use self::others::{OWN, SHARED, single};
use crate::{
    calls::{Claimed, tenant, tick},
    support::{Client, TestDb},
};

/// What the protocol promises: others' jobs start within this time, whoever is open.
const PROMPT: Duration = Duration::from_secs(2);

/// The result, unless it waits for somebody.
async fn prompt<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PROMPT, future)
        .await
        .unwrap_or_else(|_| panic!("{what} waits for an open transaction"))
}

/// Claims within the time, with the default lease of 30 s.
async fn prompt_claims(worker: &Client, limit: i32) -> Vec<Claimed> {
    let claim = "select * from fairclaim.claim_jobs('worker', null, $1)";
    let rows = prompt("a claim", worker.query(claim, &[&limit])).await.expect("claim_jobs");
    rows.iter().map(Claimed::from).collect()
}

fn sorted(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

/// The very first dispatches of a key, by several transactions at once, in both isolation levels.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_dispatch_does_not_wait_for_another_first_dispatch() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(db.producer().await);
    }
    let mut ids = Vec::new();
    for (n, client) in clients.iter().enumerate() {
        let level = if n % 2 == 0 { "read committed" } else { "repeatable read" };
        client.batch_execute(&format!("begin isolation level {level}")).await.expect("begin");
        for priority in [OWN, SHARED] {
            ids.push(single(client, tenant(1), "mail", priority).await);
        }
    }
    assert!(prompt_claims(&worker, 100).await.is_empty(), "nothing is committed");
    for client in &clients {
        client.batch_execute("commit").await.expect("commit");
    }
    tick(&worker).await; // places the jobs of the others than read committed
    let got = prompt_claims(&worker, 100).await;
    assert_eq!(sorted(got.iter().map(|job| job.id)), sorted(ids));
}
