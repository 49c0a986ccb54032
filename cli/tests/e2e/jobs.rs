//! jobs list, show, watch and delete as an operator types them.

use std::io::{BufRead, BufReader};

use fairclaim::Status;
use serde_json::{Value, json};

use crate::support::{PATIENCE, TestServer, start, stderr};

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

/// The code, what it wrote, and what it said.
fn output(server: &TestServer, args: &[&str]) -> (Option<i32>, String, String) {
    let output = server.fairclaim(args.iter().copied()).output().unwrap();
    let said = stderr(&output);
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
}

/// A job that failed for good, with what its command wrote.
async fn failed(server: &TestServer) -> String {
    let id = server.dispatch("failing", 1).await[0].to_string();
    server.run(["work", "--drain", "--exec", "failing=echo the mast broke >&2; exit 65"]);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_no_key_for_what_was_not_read() {
    let server = TestServer::installed().await;
    let id = failed(&server).await;
    let job = &json(&server, &["jobs", "list"])["jobs"][0];
    for absent in ["payload", "result", "error", "errors", "metadata", "timeout_seconds"] {
        assert_eq!(job.get(absent), None, "{absent}: {job}");
    }
    assert_eq!(job["error_code"], "exit_65");
    assert_eq!(job["error_message"], "the command exited with 65");
    let shown = json(&server, &["jobs", "show", &id]);
    assert_eq!(shown["payload"], json!({"n": 0}));
    assert_eq!(shown["error"]["trace"], "the mast broke");
    assert_eq!(shown.get("result"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_is_no_auditor_sees_codes_and_no_texts() {
    let server = TestServer::installed().await;
    let id = failed(&server).await;
    server.postgres.create_login("plain", "").await.unwrap();
    let grant = "grant fairclaim_operator to plain";
    server.client.pool().get().await.unwrap().batch_execute(grant).await.unwrap();
    let url = server.postgres.url("app", "plain");
    let plain = |args: &[&str]| server.run(args.iter().copied().chain(["--database-url", &url]));
    let list = plain(&["jobs", "list"]);
    assert!(list.contains("exit_65") && !list.contains("exited"), "{list}");
    let story = plain(&["jobs", "show", &id]);
    assert!(story.contains(": exit_65") && !story.contains("mast"), "{story}");
    assert!(story.contains("for logins with fairclaim_auditor"), "{story}");
    let shown: Value = serde_json::from_str(&plain(&["jobs", "show", &id, "--json"])).unwrap();
    assert_eq!(shown["error"], json!({"code": "exit_65"}));
    assert_eq!(shown.get("payload"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_names_the_next_page_only_where_there_is_one() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 3).await;
    for (limit, more) in [("2", true), ("3", false), ("1000", false)] {
        let list = server.run(["jobs", "list", "--limit", limit]);
        assert_eq!(list.contains("more: --before"), more, "{limit}: {list}");
        let next = &json(&server, &["jobs", "list", "--limit", limit])["next"];
        assert_eq!(next.is_string(), more, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_did_not_fail_are_not_counted_as_if_they_had() {
    let server = TestServer::installed().await;
    server.dispatch("naps", 1).await;
    server.run(["work", "--drain", "--exec", "naps=echo 3600; exit 99"]);
    let list = server.run(["jobs", "list"]);
    let row = list.lines().nth(1).unwrap();
    assert!(row.contains("  1, 2 left  in 60 min  "), "a snooze fails nothing: {list}");
    failed(&server).await;
    let id = json(&server, &["jobs", "list", "--type", "failing"])["jobs"][0]["id"].clone();
    server.run(["jobs", "retry", id.as_str().unwrap()]);
    let list = server.run(["jobs", "list", "--type", "failing"]);
    let row = list.lines().nth(1).unwrap();
    assert!(row.contains("  1, 2 left  due  "), "a retry gives all attempts back: {list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_outlives_a_restart_of_the_server() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1).await;
    let mut command = server.fairclaim(["jobs", "list", "--watch", "0.2", "--json"]);
    let mut watching = start(&mut command);
    let mut looks = BufReader::new(watching.take_stdout()).lines();
    let mut look = || -> Value { serde_json::from_str(&looks.next().unwrap().unwrap()).unwrap() };
    assert_eq!(look()["jobs"][0]["status"], "pending");
    server.postgres.restart().await.unwrap();
    server.until(Status::Pending, 1).await;
    server.run(["jobs", "cancel", "--type", "mail", "--yes"]);
    let deadline = std::time::Instant::now() + PATIENCE;
    while look()["jobs"][0]["status"] != "cancelled" {
        assert!(std::time::Instant::now() < deadline, "it never saw what came after the restart");
    }
    watching.signal("INT");
    let ended = watching.end();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_deleted_by_id_and_what_runs_is_left_with_what_to_do() {
    let server = TestServer::installed().await;
    let ids = server.dispatch("mail", 3).await;
    let [waits, runs, other] = [0, 1, 2].map(|n: usize| ids[n].to_string());
    server.run(["jobs", "cancel", &other]);
    let claim = "select from fairclaim.claim_jobs('w', null, 10)";
    server.run(["jobs", "delete", &waits]);
    let session = server.client.pool().get().await.unwrap();
    assert_eq!(session.query(claim, &[]).await.unwrap().len(), 1);
    let (code, table, said) = output(&server, &["jobs", "delete", &runs, &other]);
    assert_eq!(code, Some(1), "{said}");
    assert!(table.contains(&format!("{runs}  processing, not deleted")), "{table}");
    assert!(table.contains(&format!("{other}  deleted, was cancelled")), "{table}");
    assert!(
        said.contains("1 job was not deleted") && said.contains("fairclaim jobs cancel"),
        "{said}"
    );
    let (code, table, said) = output(&server, &["jobs", "delete", &waits, NOBODY, "--json"]);
    assert_eq!((code, &said.contains("2 of 2 jobs were not found")), (Some(1), &true), "{said}");
    let answer: Value = serde_json::from_str(&table).unwrap();
    assert_eq!(answer["jobs"][0], json!({"id": waits, "status": null, "deleted": false}));
    for table in ["job", "finished", "attempt_error", "ready", "scheduled"] {
        let left = server
            .read(&format!("select from fairclaim_internal.{table} where id <> '{runs}'"))
            .await;
        assert!(left.is_empty(), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_deletes_what_has_ended_and_what_waits_only_when_that_is_said() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1500).await;
    server.run(["jobs", "cancel", "--type", "mail", "--tenant", "acme", "--yes"]);
    let delete = |more: &[&'static str]| {
        let args = ["jobs", "delete", "--type", "mail"].into_iter().chain(more.iter().copied());
        args.collect::<Vec<_>>()
    };
    assert_eq!(server.run(delete(&["--dry-run"])), "750 jobs match; nothing was changed\n");
    let (code, _, said) = output(&server, &delete(&[]));
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(server.run(delete(&["--yes"])), "750 deleted\n");
    assert_eq!(server.count(Status::Pending).await, 750);
    assert_eq!(server.run(delete(&["--status", "pending", "--yes"])), "750 deleted\n");
    assert_eq!(server.run(["jobs", "list"]), "no jobs\n");
    let (code, _, said) = output(&server, &delete(&["--status", "processing", "--yes"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("delete them when they have ended"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_says_what_it_granted_also_where_all_is_installed() {
    let server = TestServer::installed().await;
    let roles = "fairclaim_worker, fairclaim_producer, fairclaim_operator, fairclaim_auditor";
    let said = server.run(["migrate", "--grant-self"]);
    assert!(said.contains("already") && said.contains(roles), "{said}");
    assert!(!server.run(["migrate"]).contains("fairclaim_worker"));
    assert_eq!(json(&server, &["migrate", "--grant-self"])["granted"][3], "fairclaim_auditor");
}
