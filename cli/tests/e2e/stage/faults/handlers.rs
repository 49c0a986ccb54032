//! Handlers that behave badly, beside others that do not.

use std::time::Duration;

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::json;

use super::super::audit::Audit;
use super::super::workers::{Orders, Workers, booked};
use super::super::{Size, Stage};

/// More than anybody may keep of a flood.
const MEMORY_MAX_KB: u64 = 300_000;

/// They hang, flood their output, leave children behind, are deaf to SIGTERM. Bound: their own jobs
/// fail or complete as documented, everybody else's complete, nothing of theirs is left running,
/// and the worker's memory stays flat.
pub(crate) async fn handlers_misbehave(size: Size) {
    let stage = Stage::new().await;
    let pids = stage.log("pids");
    let note = format!("echo $$ >> {}", pids.display());
    let bad = [
        ("hang", format!("{note}; sleep 1000")),
        ("deaf", format!("{note}; trap '' TERM; while :; do sleep 1; done")),
        ("flood", "yes 0123456789 | head -c 100000000; yes | head -c 100000000 >&2".to_owned()),
        (
            "orphans",
            format!("for n in 1 2 3; do (trap '' TERM HUP; sh -c '{note}; sleep 1000') & done"),
        ),
    ];
    let mut orders = Orders::plain(&stage, "2s");
    orders.handlers.extend(bad.iter().map(|(job_type, command)| format!("{job_type}={command}")));
    orders.handlers[0] = format!("job={}", booked(&stage, "sleep 0.02"));
    orders.concurrency = 8;
    let workers = Workers::start(&stage, 1, orders);
    let each: i64 = size.of(2, 10);
    let tenant = Tenant::named("acme").unwrap();
    for n in 0..each {
        for (job_type, _) in &bad {
            let job = Dispatch::raw(&tenant, *job_type, json!({ "n": n })).unwrap();
            let job = job.timeout(Duration::from_secs(2)).max_attempts(1);
            stage.server.client.dispatch(job).await.unwrap();
        }
        let plain = (0..40).map(|_| Dispatch::raw(&tenant, "job", json!({})).unwrap());
        stage.server.client.dispatch_many(plain).await.unwrap();
    }
    // the look for what is left behind sees it as long as it runs
    let seen = || {
        let pids = std::fs::read_to_string(&pids).unwrap_or_default();
        pids.lines().any(crate::support::runs)
    };
    crate::support::wait_for("no process of a handler was ever seen", seen);
    stage.until_all_ended().await;
    let memory = crate::support::peak_memory_kb(workers.pid(0)).expect("it still runs");
    println!("bad handlers: {each} of each kind, the worker's memory at most {memory} kB");
    workers.stop();

    let ends = "select j.type || ' ' || f.status, count(*) from fairclaim_internal.finished f join fairclaim_internal.job j using (id) group by 1";
    let rows = stage.ask(ends, &[]).await;
    let ended = |what: &str| {
        rows.iter().find(|row| row.get::<_, &str>(0) == what).map_or(0, |row| row.get(1))
    };
    let completed = Status::Completed;
    assert_eq!(ended(&format!("job {completed}")), 40 * each, "the others");
    for what in ["hang failed", "deaf failed", "flood failed", "orphans completed"] {
        assert_eq!(ended(what), each, "{what}");
    }
    let audit = Audit::of(&stage).await;
    assert_eq!(audit.losses, 0, "a lease was lost");
    assert!(memory < MEMORY_MAX_KB, "{memory} kB");
    for pid in std::fs::read_to_string(pids).unwrap().lines() {
        crate::support::wait_for("a process of a handler is left", || !crate::support::runs(pid));
    }
}
