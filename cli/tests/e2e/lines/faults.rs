//! Deaths in the middle: of the program, of the server, and two at once.

use std::{collections::BTreeMap, time::Duration};

use super::{Folder, numbers, payloads, send, totals};
use crate::support::{PATIENCE, Running, TestServer, start, stderr};

const LINES: u32 = 30_000;

/// How many of the lines are jobs.
async fn count(server: &TestServer) -> i64 {
    server.read("select count(*) from fairclaim_internal.job").await[0].get(0)
}

/// Waits until some of the lines are in.
async fn until_some(server: &TestServer) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while count(server).await == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing was dispatched");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Which payloads are there other than once, and how often.
async fn other_than_once(server: &TestServer) -> BTreeMap<u64, usize> {
    let mut seen: BTreeMap<u64, usize> = (0..u64::from(LINES)).map(|n| (n, 0)).collect();
    for payload in payloads(server).await {
        *seen.entry(payload.as_u64().unwrap()).or_default() += 1;
    }
    seen.retain(|_, times| *times != 1);
    seen
}

fn begin(server: &TestServer, file: &str, more: &[&str]) -> Running {
    let args = ["dispatch", "--json", "--file", file].into_iter().chain(more.iter().copied());
    start(&mut server.fairclaim(args))
}

/// Every thousandth line is bad, so that there is a report to be kept right.
fn with_bad_lines() -> String {
    let mut text = String::new();
    for (n, line) in numbers(0..LINES).lines().enumerate() {
        text.push_str(line);
        text.push_str(if n.is_multiple_of(1000) { "\n{\"bad\": 1}\n" } else { "\n" });
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_dispatch_that_is_run_again_sends_each_line_once_and_reports_each_refusal_once() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", with_bad_lines());
    let refused = folder.path("refused.jsonl");
    let mut kills = 0;
    for wait in [0, 30, 90, 10, 200, 60] {
        let running = begin(&server, &file, &["--refused", &refused]);
        let before = count(&server).await;
        let deadline = std::time::Instant::now() + PATIENCE;
        while count(&server).await == before && before < i64::from(LINES) {
            assert!(std::time::Instant::now() < deadline, "it does not get on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        if before < i64::from(LINES) {
            running.signal("KILL");
            running.end();
            kills += 1;
        }
    }
    assert!(kills > 0);
    let last = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(last.status.code(), Some(1), "{}", stderr(&last));
    assert_eq!(totals(&last)["dispatched"], LINES);
    assert_eq!(totals(&last)["refused"], LINES / 1000);
    assert_eq!(other_than_once(&server).await, BTreeMap::new());
    assert_eq!(folder.read("refused.jsonl"), "{\"bad\": 1}\n".repeat(LINES as usize / 1000));
    let reasons = folder.read("refused.jsonl.reasons");
    let lines: Vec<u64> = reasons
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["line"].as_u64().unwrap()
        })
        .collect();
    let expected: Vec<u64> = (0..u64::from(LINES / 1000)).map(|n| n * 1001 + 2).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_send_one_file_at_once_send_each_line_once() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", with_bad_lines());
    let reports = [folder.path("one.jsonl"), folder.path("two.jsonl")];
    let both: Vec<Running> =
        reports.iter().map(|report| begin(&server, &file, &["--refused", report])).collect();
    for running in both {
        let output = running.end();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(totals(&output)["dispatched"], LINES);
    }
    assert_eq!(other_than_once(&server).await, BTreeMap::new());
    let reported =
        |path: &String| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    assert_eq!(reports.iter().map(reported).sum::<usize>(), LINES as usize / 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_connections_that_are_cut_cost_and_double_no_line() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..LINES));
    let running = begin(&server, &file, &[]);
    until_some(&server).await;
    server.postgres.kill().await.unwrap();
    server.postgres.restart().await.unwrap();
    let cut = "select count(pg_terminate_backend(a.pid)) from pg_stat_activity a
                where a.usename = current_user and a.pid <> pg_backend_pid()";
    let (killer, connection) =
        tokio_postgres::connect(&server.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..5 {
        killer.query_one(cut, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let output = running.end();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(totals(&output)["dispatched"], LINES);
    assert_eq!(other_than_once(&server).await, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_in_the_middle_is_waited_for() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..LINES));
    let running = begin(&server, &file, &[]);
    until_some(&server).await;
    server.postgres.stop().await.unwrap();
    // long enough for several tries
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.postgres.restart().await.unwrap();
    let came_back_to = count(&server).await;
    let output = running.end();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.matches("trying again").count() > 1, "the server was away for nobody: {said}");
    assert!(came_back_to < i64::from(LINES), "it was done before");
    assert_eq!(totals(&output)["dispatched"], LINES);
    assert_eq!(other_than_once(&server).await, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_signal_stops_behind_a_batch_and_the_next_run_goes_on() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..LINES));
    let running = begin(&server, &file, &[]);
    until_some(&server).await;
    running.signal("TERM");
    let output = running.end();
    // it may have been done already
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("run it again, which goes on from there"),
            "{}",
            stderr(&output)
        );
    }
    assert!(send(&server, &[&file]).status.success());
    assert_eq!(other_than_once(&server).await, BTreeMap::new());

    // the control: lines that nobody remembers are sent twice, and that is seen
    assert!(send(&server, &[&file, "--source", "unknown"]).status.success());
    assert_eq!(other_than_once(&server).await.len(), LINES as usize);
}
