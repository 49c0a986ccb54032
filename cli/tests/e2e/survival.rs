//! What dies, and what does not, under load: jobs are dispatched all the time, and two worker
//! processes run them, while a worker is killed or the server goes away and comes back. In the end
//! every attempt is accounted for.

mod load;

use std::collections::HashSet;
use std::time::Duration;

use load::{Key, Load};

use crate::support::{TestServer, runs, start, stderr, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_killed_worker_are_completed_by_another() {
    let server = TestServer::installed().await;
    let load = Load::start(&server, "3s").await;
    let mut workers = load.workers();
    load.until_completed(60).await;
    let doomed = workers.remove("doomed").unwrap();
    doomed.signal("KILL");
    doomed.end();
    let held = load.held_by("doomed").await;
    assert!(!held.is_empty(), "it held nothing when it died");
    load.until_completed(100).await;

    let books = load.finish(workers.into_values()).await;
    books.check(&held);
    for (id, attempt) in &held {
        let job = &books.jobs[id];
        assert_eq!(job.worker, "other", "{id} was held by the one that died");
        assert!(job.attempts > *attempt, "{id} was not claimed again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_a_killed_worker_end_with_it() {
    let server = TestServer::installed().await;
    let file = server.postgres.directory().with_extension("orphans");
    server.dispatch("slow", 2).await;
    // one that ends when it is told to, and one that is deaf; both have a child
    let script = format!(
        "slow=[ -e {0} ] && trap '' TERM; sleep 300 & echo $$ $! >> {0}; sleep 300",
        file.display()
    );
    let worker = start(&mut server.fairclaim(["work", "--queue", "default:2", "--exec", &script]));
    let pids = || std::fs::read_to_string(&file).unwrap_or_default();
    wait_for("both run", || pids().lines().count() == 2);
    worker.signal("KILL");
    worker.end();
    for pid in pids().split_whitespace() {
        wait_for("a command outlived its killed worker", || !runs(pid));
    }
    std::fs::remove_file(&file).unwrap();
}

/// The server goes away twice, orderly or by a crash, and every time the load goes on by itself.
async fn server_goes_away(crash: bool) {
    let server = TestServer::installed().await;
    let load = Load::start(&server, "15s").await;
    let workers = load.workers();
    let mut in_flight: HashSet<Key> = HashSet::new();
    let (mut completed, mut dispatched) = (0, 0);
    for _ in 0..2 {
        load.until_completed(completed + 60).await;
        if crash {
            server.postgres.kill().await.unwrap();
        } else {
            server.postgres.stop().await.unwrap();
        }
        // everybody notices; then the workers stand still, until it is clear what they held
        tokio::time::sleep(Duration::from_millis(300)).await;
        for worker in workers.values() {
            worker.signal("STOP");
        }
        server.postgres.restart().await.unwrap();
        let held = load.running().await;
        assert!(!held.is_empty(), "nothing was in flight");
        in_flight.extend(held);
        for worker in workers.values() {
            worker.signal("CONT");
        }

        load.until_dispatched(dispatched + 20).await;
        (completed, dispatched) = (load.completed().await, load.dispatched().await);
    }
    load.until_completed(completed + 60).await;

    let books = load.finish(workers.into_values()).await;
    assert!(books.refused_calls > 0, "no dispatch fell into the time without a server");
    books.check(&in_flight);
    // a handler that was at work when the server went away has settled its job when it was back:
    // none ran twice
    let twice: Vec<_> = books.runs.iter().filter(|(_, attempts)| attempts.len() > 1).collect();
    assert!(twice.is_empty(), "a settlement that could still be accepted was lost: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_under_load_loses_nothing() {
    server_goes_away(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_under_load_loses_nothing() {
    server_goes_away(true).await;
}
