//! The demo, small: it must keep its promises, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use crate::support::{TestServer, fairclaim, runs, start, stderr, wait_for};

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
    assert!(said.contains("11 of 11 small tenants are done after "), "{said}");
    assert!(said.contains("Try next:") && said.contains("  fairclaim demo --keep"), "{said}");
    // it stands still at the end, for the leases of the killed worker, and says so
    assert!(said.contains("of it waiting for the leases of worker-2"), "{said}");
    assert!(!Path::new(&folder(&said)).exists(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_in_a_database_that_has_other_jobs() {
    let server = TestServer::installed().await;
    server.dispatch("demo", 10).await;
    let said = server.run(SMALL.into_iter().chain(["--keep"]));
    assert_eq!(promises_kept(&said), 3, "{said}");
    assert!(said.contains("In your database stay"), "{said}");
    assert_eq!(server.count(fairclaim::Status::Pending).await, 10);
}

/// The statement that a demo prints when jobs of it stay in the user's database.
fn statement(said: &str) -> &str {
    let begin = said.find("select c.status").expect("no statement");
    said[begin..].split_inclusive(';').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupting_it_in_a_database_of_ones_own_says_what_stays_and_how_to_cancel_it() {
    let server = TestServer::installed().await;
    server.dispatch("demo", 10).await;
    let mut demo = start(&mut server.fairclaim(["demo", "--offline", "--jobs", "30000"]));
    let mut lines = BufReader::new(demo.take_stdout()).lines();
    assert!(lines.any(|line| line.unwrap().contains("claims/s")), "it ended early");
    demo.signal("INT");
    let said: Vec<String> = lines.map(|line| line.unwrap()).collect();
    let said = said.join("\n");
    let output = demo.end();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(!stderr(&output).contains("nothing is left"), "{}", stderr(&output));

    let left = "select count(*) filter (where queue like 'demo-%'), count(*) filter (where queue = 'default')
                  from fairclaim.job_overview where status not in ('completed', 'failed', 'cancelled')";
    let row = &server.read(left).await[0];
    assert!(row.get::<_, i64>(0) > 0, "it was interrupted in the middle");
    // as the login that the demo had, which may administer
    let connection = server.client.pool().get().await.unwrap();
    let cancelled = connection.query(statement(&said), &[]).await.unwrap();
    assert_eq!(cancelled[0].get::<_, &str>(0), "cancelled", "{cancelled:?}");
    let row = &server.read(left).await[0];
    assert_eq!((row.get(0), row.get(1)), (0_i64, 10_i64), "the demo's jobs, and others");
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

#[test]
fn what_a_kept_server_invites_to_works_as_it_is_printed() {
    let output = fairclaim(SMALL.into_iter().chain(["--keep"])).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{said}\n{}", stderr(&output));
    let (invited, end) = said.split_once("To end it: ").unwrap();
    // in a shell that knows no `fairclaim`; the line for psql is left out, which is not everywhere
    let lines: Vec<&str> = invited
        .lines()
        .skip_while(|line| !line.contains("To look around"))
        .skip(1)
        .filter(|line| !line.contains("psql "))
        .collect();
    assert_eq!(lines.iter().filter(|line| line.contains(" --")).count(), 3, "{lines:?}");
    let shell = |script: &str| {
        let path = "/usr/bin:/bin";
        Command::new("sh").args(["-ec", script]).env("PATH", path).output().unwrap()
    };
    let looked = shell(&lines.join("\n"));
    let ended = shell(end.trim());
    assert!(looked.status.success(), "{}", stderr(&looked));
    assert!(ended.status.success(), "{}", stderr(&ended));
    let shown = String::from_utf8(looked.stdout).unwrap();
    assert_eq!(shown.lines().filter(|line| line.contains("completed")).count(), 5, "{shown}");
    assert!(!Path::new(&folder(&said)).exists());
}
