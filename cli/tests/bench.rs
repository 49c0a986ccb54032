//! Every scenario of `fairclaim bench`, at sizes that mean nothing: that it runs, and that its one
//! JSON document has what METHOD.md promises.

use std::process::Command;

use serde_json::Value;

/// Runs one scenario and checks what all of them have; answers the names of what it measured.
fn bench(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .arg("bench")
        .args(arguments)
        .args(["--quick", "--json"])
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bench {arguments:?} failed: {errors}");
    let report: Value =
        serde_json::from_slice(&output.stdout).expect("stdout is one JSON document");

    assert_eq!(report["scenario"], arguments[0]);
    assert!(report["options"]["reps"].as_u64() >= Some(1));
    let surroundings = &report["surroundings"];
    assert!(surroundings["cores"].as_u64() >= Some(1));
    for field in ["cpu", "postgresql", "fairclaim", "build"] {
        assert!(!surroundings[field].as_str().expect(field).is_empty());
    }
    for (setting, value) in [("fsync", "on"), ("synchronous_commit", "on")] {
        assert_eq!(surroundings["settings"][setting], value);
    }
    let measurements = report["measurements"].as_array().expect("measurements");
    measurements.iter().map(check_measurement).collect()
}

fn check_measurement(found: &Value) -> String {
    let name = found["name"].as_str().expect("a name").to_owned();
    let number = |field: &str| found[field].as_f64().unwrap_or_else(|| panic!("{name}: {field}"));
    assert!(!found["unit"].as_str().expect("a unit").is_empty());
    assert!(number("min") <= number("median") && number("median") <= number("max"));
    assert!(!found["values"].as_array().expect("values").is_empty());
    name
}

fn assert_has(names: &[String], wanted: &[&str]) {
    for part in wanted {
        assert!(names.iter().any(|name| name.contains(part)), "no {part:?} in {names:#?}");
    }
}

#[test]
fn drain() {
    let names = bench(&["drain", "--history-ranges", "2"]);
    assert_has(
        &names,
        &["fsync", "dispatch in bulk", "drain", "claim and settle: WAL a job", "full-page"],
    );
}

#[test]
fn drain_by_plain_connections() {
    assert_has(&bench(&["drain", "--through", "sql"]), &["drain"]);
}

#[test]
fn dispatch() {
    let names = bench(&["dispatch"]);
    assert_has(
        &names,
        &[
            "single, 1 conn: dispatch / bare INSERT",
            "single, 8 conn: dispatch / bare INSERT",
            "bulk of 1000, 1 conn: dispatch / bare INSERT",
            "listening fleet / none",
        ],
    );
}

#[test]
fn latency() {
    let names = bench(&["latency"]);
    assert_has(&names, &["fsync", "handler start, p50", "handler start, p99"]);
}

#[test]
fn held_snapshot() {
    let names = bench(&["held-snapshot"]);
    for shape in ["deep", "dry", "shared"] {
        let wanted = ["window before", "first window", "last full window", "last / first"];
        assert_has(&names, &wanted.map(|part| format!("{shape}: {part}")).each_ref().map(|s| &**s));
    }
}

/// However fast the machine is: the window is longer than anything that waits.
#[test]
fn a_queue_that_runs_dry_within_its_first_window_is_measured_all_the_same() {
    let names = bench(&["held-snapshot", "dry", "--window-ms", "10000"]);
    assert_has(&names, &["dry: first window", "dry: last / first"]);
}

#[test]
fn held_trickle() {
    assert_has(&bench(&["held-trickle"]), &["first", "p50 of a claim, last / first"]);
}

#[test]
fn fairness() {
    let names = bench(&["fairness"]);
    assert_has(&names, &["claims of 1: jobs claimed until all 31", "claims of 10: jobs claimed"]);
}

#[test]
fn everyday() {
    let names = bench(&["everyday"]);
    assert_has(
        &names,
        &[
            "trickle beside the flood: completed",
            "same dispatching elsewhere: completed",
            "total with trickle / same dispatching elsewhere",
            "dispatch to handler start, p99",
            "jobs a claim",
        ],
    );
}

#[test]
fn trickling() {
    let names = bench(&["trickling"]);
    assert_has(&names, &["10 tenants: a claim", "100 tenants: a claim", "mean of a claim"]);
}

#[test]
fn nonsense_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .args(["bench", "drain", "--through", "magic"])
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint:"));
}
