//! Every scenario of `fairclaim bench`, at sizes that mean nothing: that it runs, and that its one
//! JSON document has what METHOD.md promises.

#![expect(clippy::float_cmp, reason = "what is compared are counts, which are exact")]

use std::collections::HashMap;
use std::process::Command;

use serde_json::Value;

/// Runs one scenario; answers the names of what it measured.
fn bench(arguments: &[&str]) -> Vec<String> {
    measured(arguments).into_keys().collect()
}

/// Runs one scenario and checks what all of them have; answers what it measured, by name.
fn measured(arguments: &[&str]) -> HashMap<String, f64> {
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

fn check_measurement(found: &Value) -> (String, f64) {
    let name = found["name"].as_str().expect("a name").to_owned();
    let number = |field: &str| found[field].as_f64().unwrap_or_else(|| panic!("{name}: {field}"));
    assert!(!found["unit"].as_str().expect("a unit").is_empty());
    assert!(number("min") <= number("median") && number("median") <= number("max"));
    assert!(!found["values"].as_array().expect("values").is_empty());
    let median = number("median");
    (name, median)
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

/// Runs one scenario of fairness; answers what it measured. Whatever the scenario is, nobody who has
/// a backlog gets more than its weight, and no claim is empty while something may be claimed.
fn fairness(scenario: &str) -> HashMap<String, f64> {
    let found = measured(&["fairness", "--scenario", scenario]);
    let of = |what: &str| {
        let found = found.iter().filter(|(name, _)| name.ends_with(what));
        found.map(|(name, value)| (name.clone(), *value)).collect::<Vec<_>>()
    };
    let indices = of("Jain's index of claims / weight");
    assert!(!indices.is_empty(), "{found:#?}");
    let bounded = ["default-limits", "limits", "rates"].contains(&scenario);
    for (name, index) in indices {
        // claims side by side pass over tenants whose limits another one holds: when each takes
        // jobs of all tenants, their shares are not even
        if !(bounded && name.contains("by 8 claimers")) {
            let least = if scenario == "come-and-go" { 0.95 } else { 0.99 };
            assert!(index >= least, "{name}: {index}");
        }
    }
    let empty = of("empty claims while something may be claimed");
    for combination in ["claims of 1 by 1 claimer", "claims of 100 by 8 claimers"] {
        assert!(empty.iter().any(|(name, _)| name.contains(combination)), "{found:#?}");
    }
    for (name, claims) in empty {
        assert_eq!(claims, 0.0, "{name}");
    }
    found
}

#[test]
fn fairness_of_a_flood_beside_small_tenants() {
    let found = fairness("flood");
    let until = "flood beside small tenants: claimed until all 31 tenants were served";
    // one round: nobody is served twice before everybody was
    assert!(found[&format!("flood, claims of 1 by 1 claimer: {until}")] <= 45.0);
}

#[test]
fn fairness_of_weights() {
    fairness("weights");
}

#[test]
fn fairness_of_many_tenants() {
    fairness("tenants");
}

#[test]
fn fairness_beside_tenants_that_spread() {
    let found = fairness("spreading");
    let over = |(name, _): &(&String, &f64)| name.ends_with("claims over those of one in bulk");
    assert!(found.iter().filter(over).count() >= 4 * 6);
}

#[test]
fn fairness_under_default_limits() {
    fairness("default-limits");
}

#[test]
fn fairness_under_limits() {
    fairness("limits");
}

#[test]
fn fairness_beside_tenants_at_their_limit() {
    fairness("at-limit");
}

#[test]
fn fairness_under_rates() {
    let found = fairness("rates");
    let over = found
        .iter()
        .filter(|(name, _)| name.ends_with("most claims of one until now over its burst"));
    let over: Vec<f64> = over.map(|(_, ratio)| *ratio).collect();
    let most = over.iter().copied().fold(0.0, f64::max);
    assert_eq!(most, 1.0, "the whole burst is had, and no more: {over:?}");
}

#[test]
fn fairness_while_tenants_come_and_go() {
    let found = fairness("come-and-go");
    assert!(found.keys().any(|name| name.contains("until a newcomer was served")), "{found:#?}");
}

#[test]
fn fairness_of_long_and_short_jobs() {
    let found = fairness("long-and-short");
    assert!(found.keys().any(|name| name.contains("Jain's index of seconds")), "{found:#?}");
}

#[test]
fn fairness_draws_a_picture_of_a_scenario() {
    let folder = std::env::temp_dir().join(format!("fc-pictures-{}", std::process::id()));
    let some = ["--claims", "10", "--claimers", "1", "--pictures", folder.to_str().unwrap()];
    bench(&[&["fairness", "--scenario", "weights"][..], &some].concat());
    let picture = std::fs::read_to_string(folder.join("weights.svg")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(picture.matches("<polyline").count(), 5, "one line for each weight");
    assert!(picture.contains("prefers-color-scheme:dark"));
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
fn trickle_cost() {
    let found = measured(&["trickle-cost", "--rates", "50,200"]);
    for rate in ["50 jobs/s", "200 jobs/s"] {
        let figure = |what: &str| found[&format!("{rate}: {what}")];
        assert!(figure("jobs dispatched") > 0.0);
        assert_eq!(figure("jobs handled"), figure("jobs dispatched"));
        assert!(figure("transactions a job, besides its dispatch") > 0.0);
        let in_vain = figure("claims that found nothing, share");
        assert!(figure("claims a job") > 0.0 && (0.0..=1.0).contains(&in_vain));
        assert!(
            figure("commit returned to handler start, p50")
                <= figure("commit returned to handler start, p99")
        );
    }
}

#[test]
fn types() {
    let found = measured(&["types"]);
    for claim in [1, 10] {
        for who in ["naming none", "naming 5 types"] {
            let jobs = found[&format!("claims of {claim}: {who}, jobs a claim")];
            assert_eq!(jobs, f64::from(claim), "every claim is full while much waits");
        }
        assert!(
            found[&format!("claims of {claim}: naming 5 types / naming none, p50 of the pairs")]
                > 0.0
        );
    }
}

/// One type of forty has a job of each tenant, too few for claims of 100 that name it alone.
#[test]
fn a_claim_that_names_types_gets_no_others() {
    let output = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .args(["bench", "types", "--types", "40", "--named", "1", "--quick"])
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was left for a claim of"));
}

#[test]
fn payloads() {
    let found = measured(&["payloads"]);
    for calls in ["single", "bulk of 1000"] {
        for bytes in [200, 1_000, 2_000, 4_000] {
            assert!(found[&format!("{calls}, {bytes} B")] > 0.0);
            if cfg!(target_os = "linux") {
                assert!(found.contains_key(&format!("{calls}, {bytes} B: server CPU a job")));
            }
        }
        let wal =
            |bytes: u32| found[&format!("{calls}, {bytes} B: WAL a job, without full-page images")];
        assert!(wal(4_000) > wal(200) + 3_000.0, "a payload is stored as large as it is");
        assert!(found.contains_key(&format!("{calls}, 4000 B / 200 B, jobs a second")));
    }
}

#[test]
fn once_used() {
    let found = measured(&["once-used"]);
    assert_eq!(found["jobs that came and went"], 450.0);
    assert_eq!(found["own lanes when all jobs wait"], 50.0);
    assert!(found["own lanes at the end"] <= 50.0);
    assert!(found["whole time: ticks"] > 0.0);
    let names: Vec<String> = found.into_keys().collect();
    assert_has(&names, &["first 0.2 s: an empty claim, p50", "last 0.2 s: a tick, p50"]);
}

#[test]
fn tenants_that_come_once_with_one_job_have_no_lanes() {
    let found = measured(&["once-used", "--each", "1"]);
    assert_eq!(found["jobs that came and went"], 50.0);
    assert_eq!(found["own lanes when all jobs wait"], 0.0);
}

#[test]
fn slow_transactions() {
    let found = measured(&["slow-transactions"]);
    for whose in ["slow", "short"] {
        let figure = |what: &str| found[&format!("jobs of {whose} transactions: {what}")];
        assert!(figure("committed") > 0.0);
        assert_eq!(figure("claimed"), figure("committed"));
        assert!(figure("commit to claim, p99") <= figure("commit to claim, longest"));
    }
    assert!(found.contains_key("rows of renewal at the end of the load"));
}

#[test]
fn idle() {
    let names = bench(&["idle", "--workers", "1,2"]);
    for who in ["no worker", "1 idle worker", "2 idle workers"] {
        let wanted = ["transactions a second", "WAL a second"];
        assert_has(&names, &wanted.map(|part| format!("{who}: {part}")).each_ref().map(|s| &**s));
    }
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
