//! Processes that stand still for longer than a lease, and then go on as if nothing had happened.

use std::time::{Duration, Instant};

use super::super::audit::{Audit, MayFail};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers, booked};
use super::super::{PATIENCE, Size, Stage, signal};
use super::kills::goes_on;

const HELD_BY_FIRST: &str =
    "select count(*) from fairclaim_internal.running where worker_id = 'w0-0'";

/// All processes of the server stand still for longer than a lease. Bound: nothing lost or doubled.
pub(crate) async fn the_server_freezes(size: Size) {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "2s"));
    for seconds in size.of(&[5][..], &[3, 5, 8, 18]) {
        stage.until_completed_more(20).await;
        let processes = processes(stage.server.postgres.pid().unwrap());
        signal_all("STOP", &processes);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        signal_all("CONT", &processes);
        let took = goes_on(&stage, &dispatchers).await;
        println!("server frozen for {seconds} s, gone on after {took:.1?}");
    }
    stage.close(dispatchers, workers).await.pass("frozen server", MayFail::AFew);
}

/// One may just have ended.
fn signal_all(name: &str, processes: &[u32]) {
    for &pid in processes {
        let _ = signal(name, pid);
    }
}

/// A process and its children.
fn processes(first: u32) -> Vec<u32> {
    let output = std::process::Command::new("pgrep").args(["-P", &first.to_string()]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let children = text.lines().map(|line| line.parse().unwrap());
    std::iter::once(first).chain(children).collect()
}

/// A worker stands still for longer than its lease, while its commands go on and end. Bound: what
/// it settles afterwards is refused, and it knows.
pub(crate) async fn a_worker_freezes(size: Size) {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace { count: 1, ..Pace::gentle(&stage) });
    let orders = Orders {
        handlers: vec![format!("job={}", booked(&stage, "sleep 0.3"))],
        ..Orders::plain(&stage, "1s")
    };
    let workers = Workers::start(&stage, 2, orders);
    for _ in 0..size.of(1, 10) {
        freeze(&stage, &workers).await;
        until_nothing_is_held(&stage).await;
        stage.until_completed_more(5).await;
        workers.signal(0, "CONT");
        stage.until(HELD_BY_FIRST, 1).await; // it claims again
    }
    dispatchers.finish().await;
    stage.until_all_ended().await;
    let lost = workers.said("lease lost");
    println!("frozen worker: {lost} times it was told that its lease was lost");
    workers.stop();
    let audit = Audit::of(&stage).await;
    audit.pass("frozen worker", MayFail::AFew);
    assert!(audit.losses > 0 && lost > 0, "nobody noticed");
}

/// Stops the first worker when it has something in hand.
pub(super) async fn freeze(stage: &Stage, workers: &Workers) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        stage.until(HELD_BY_FIRST, 1).await;
        workers.signal(0, "STOP");
        tokio::time::sleep(Duration::from_millis(100)).await; // the server may still be at its last statement
        if stage.number(HELD_BY_FIRST).await > 0 {
            return;
        }
        workers.signal(0, "CONT");
        assert!(Instant::now() < deadline, "it never held anything");
    }
}

async fn until_nothing_is_held(stage: &Stage) {
    let none = format!("select -({HELD_BY_FIRST})");
    stage.until(&none, 0).await;
}
