//! The demo, small: it must keep its promises, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::support::{Place, fairclaim, runs, start, stderr, wait_for};

const SMALL: [&str; 6] = ["demo", "--offline", "--jobs", "3000", "--tenants", "12"];

/// The folder that the first line of the demo names.
fn folder(line: &str) -> String {
    let after = line.split("with its data in ").nth(1).expect("no folder in the first line");
    after.split(';').next().unwrap().to_owned()
}

fn promises_kept(said: &str) -> usize {
    said.lines().filter(|line| line.starts_with('✔')).count()
}

#[test]
fn it_keeps_its_promises_and_leaves_nothing_behind() {
    let output = fairclaim(SMALL).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{said}\n{}", stderr(&output));
    assert_eq!(promises_kept(&said), 3, "{said}");
    assert!(said.contains("killed worker-2 with SIGKILL"), "{said}");
    assert!(!Path::new(&folder(&said)).exists(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_in_a_database_that_has_other_jobs() {
    let place = Place::installed().await;
    place.dispatch("demo", 10).await;
    let said = place.run(SMALL.into_iter().chain(["--keep"]));
    assert_eq!(promises_kept(&said), 3, "{said}");
    assert_eq!(place.count(fairclaim::Status::Pending).await, 10);
}

#[test]
fn interrupting_it_cleans_up() {
    let mut demo = start(&mut fairclaim(["demo", "--offline", "--jobs", "200000"]));
    let mut lines = BufReader::new(demo.take_stdout()).lines();
    let first = lines.next().unwrap().unwrap();
    // the first line of progress: the workers are running
    assert!(lines.any(|line| line.unwrap().contains("claims/s")), "it ended early");
    let folder = folder(&first);
    let server = std::fs::read_to_string(format!("{folder}/data/postmaster.pid")).unwrap();
    let server = server.lines().next().unwrap().to_owned();
    demo.signal("INT");
    drop(lines);
    let output = demo.end();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(!runs(&server), "the server is still running");
    assert!(!Path::new(&folder).exists(), "{folder} is still there");
}

#[test]
fn a_demo_that_is_killed_leaves_nothing_running() {
    let mut demo = start(&mut fairclaim(["demo", "--offline", "--jobs", "200000"]));
    let mut lines = BufReader::new(demo.take_stdout()).lines();
    let folder = folder(&lines.next().unwrap().unwrap());
    assert!(lines.any(|line| line.unwrap().contains("claims/s")), "it ended early");
    demo.signal("KILL");
    demo.end();
    wait_for("the folder of a killed demo stays", || !Path::new(&folder).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_server_can_be_looked_at() {
    let output = fairclaim(SMALL.into_iter().chain(["--keep"])).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{said}\n{}", stderr(&output));
    let url = said.split('\'').find(|part| part.starts_with("postgres://")).unwrap();
    let listed =
        fairclaim(["jobs", "list", "--queue", "demo", "--limit", "5", "--database-url", url])
            .output()
            .unwrap();
    let end = said.split("To end it: ").nth(1).unwrap().trim();
    assert!(std::process::Command::new("sh").args(["-c", end]).status().unwrap().success());
    assert!(listed.status.success(), "{}", stderr(&listed));
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 7);
    assert!(!Path::new(&folder(&said)).exists());
}
