//! What dies, and what does not: workers killed with SIGKILL, servers restarted and crashed.

use std::time::Duration;

use fairclaim::Status;

use crate::support::{Place, start, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_killed_worker_are_completed_by_another() {
    let place = Place::installed().await;
    let ids = place.dispatch("job", 60).await;
    let doomed = start(&mut place.fairclaim([
        "work",
        "--worker-id",
        "doomed",
        "--lease",
        "2s",
        "--queue",
        "default:5",
        "--exec",
        "job=sleep 0.1",
    ]));
    place.until(Status::Completed, 5).await;
    place.until(Status::Processing, 1).await;
    doomed.signal("KILL");
    doomed.end();
    let left = place.count(Status::Processing).await;
    assert!(left > 0, "it held nothing when it died");

    // not --drain: what the dead one holds is not there to be claimed until its leases expire
    let other = start(&mut place.fairclaim([
        "work",
        "--worker-id",
        "other",
        "--lease",
        "2s",
        "--queue",
        "default:5",
        "--exec",
        "job=true",
    ]));
    place.until(Status::Completed, 60).await;
    other.signal("TERM");
    assert!(other.end().status.success());
    let mut recovered = 0;
    for id in ids {
        let row = place.job(id).await;
        assert_eq!(row.status, Status::Completed);
        recovered += usize::from(row.attempts > 1);
        if row.attempts > 1 {
            assert_eq!(row.worker_id.as_deref(), Some("other"));
        }
    }
    assert!(recovered > 0, "no job was claimed twice");
}

/// Restarts (or crashes) the server while a worker is busy; every job must be completed, and the
/// worker must still be the same process.
async fn server_goes_away(crash: bool) {
    const JOBS: usize = 300;
    let place = Place::installed().await;
    place.dispatch("job", JOBS).await;
    let worker = start(&mut place.fairclaim([
        "work",
        "--lease",
        "3s",
        "--queue",
        "default:4",
        "--exec",
        "job=sleep 0.02",
        "--log-format",
        "json",
    ]));
    for finished in [20, 100] {
        place.until(Status::Completed, finished).await;
        if crash {
            place.server.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        place.server.restart().await.unwrap();
    }
    place.until(Status::Completed, JOBS).await;
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(place.count(Status::Completed).await, JOBS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_under_load_loses_nothing() {
    server_goes_away(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_under_load_loses_nothing() {
    server_goes_away(true).await;
}
