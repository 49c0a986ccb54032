//! Processes that stand still for longer than a lease, and then go on as if nothing had happened.

use std::time::{Duration, Instant};

use super::super::audit::{Audit, MayFail};
use super::super::crew::{Crew, Orders, booked};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::{PATIENCE, Rig, Size, signal};
use super::kills::goes_on;

const HELD_BY_FIRST: &str =
    "select count(*) from fairclaim_internal.running where worker_id = 'w0-0'";

/// All processes of the server stand still for longer than a lease. Bound: nothing lost or doubled.
pub(crate) async fn the_server_freezes(size: Size) {
    let rig = Rig::new().await;
    let dispatchers = Dispatchers::start(&rig, &Pace::gentle(&rig));
    let crew = Crew::start(&rig, 2, Orders::plain(&rig, "2s"));
    for seconds in size.of(&[5][..], &[3, 5, 8, 18]) {
        rig.until_completed_more(20).await;
        let processes = processes(rig.place.server.pid().unwrap());
        signal_all("STOP", &processes);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        signal_all("CONT", &processes);
        let took = goes_on(&rig, &dispatchers).await;
        println!("server frozen for {seconds} s, gone on after {took:.1?}");
    }
    rig.close(dispatchers, crew).await.pass("frozen server", MayFail::AFew);
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

/// A worker stands still for longer than its lease, while its commands go on and end. Bound: what it settles afterwards is
/// refused, and it knows.
pub(crate) async fn a_worker_freezes(size: Size) {
    let rig = Rig::new().await;
    let dispatchers = Dispatchers::start(&rig, &Pace { count: 1, ..Pace::gentle(&rig) });
    let orders = Orders {
        handlers: vec![format!("job={}", booked(&rig, "sleep 0.3"))],
        ..Orders::plain(&rig, "1s")
    };
    let crew = Crew::start(&rig, 2, orders);
    for _ in 0..size.of(1, 10) {
        freeze(&rig, &crew).await;
        until_nothing_is_held(&rig).await;
        rig.until_completed_more(5).await;
        crew.signal(0, "CONT");
        rig.until(HELD_BY_FIRST, 1).await; // it claims again
    }
    dispatchers.finish().await;
    rig.until_all_ended().await;
    let lost = crew.said("lease lost");
    println!("frozen worker: {lost} times it was told that its lease was lost");
    crew.stop();
    let audit = Audit::of(&rig).await;
    audit.pass("frozen worker", MayFail::AFew);
    assert!(audit.losses > 0 && lost > 0, "nobody noticed");
}

/// Stops the first worker when it has something in hand.
pub(super) async fn freeze(rig: &Rig, crew: &Crew) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        rig.until(HELD_BY_FIRST, 1).await;
        crew.signal(0, "STOP");
        tokio::time::sleep(Duration::from_millis(100)).await; // the server may still be at its last statement
        if rig.number(HELD_BY_FIRST).await > 0 {
            return;
        }
        crew.signal(0, "CONT");
        assert!(Instant::now() < deadline, "it never held anything");
    }
}

async fn until_nothing_is_held(rig: &Rig) {
    let none = format!("select -({HELD_BY_FIRST})");
    rig.until(&none, 0).await;
}
