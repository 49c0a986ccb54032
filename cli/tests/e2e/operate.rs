//! jobs, queues, prune as an operator types them.

use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

/// Fails with a code, a text and a hint; answers stdout.
#[track_caller]
fn fails(server: &TestServer, args: &[&str], code: i32, says: &str) -> String {
    let output = server.fairclaim(args.iter().copied()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(says), "{args:?} should say {says:?}: {said}");
    assert!(said.contains("\nhint: ") || said.starts_with("hint: "), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_action_counts_first_and_wants_a_yes() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1200).await;
    server.dispatch("bill", 2).await;
    let status = |status: &str| {
        let jobs = json(&server, &["jobs", "list", "--status", status, "--all"]);
        jobs["jobs"].as_array().unwrap().len()
    };
    let refused =
        fails(&server, &["jobs", "cancel", "--type", "mail"], 2, "1,200 jobs would be changed");
    assert_eq!(refused, "");
    assert_eq!(status("pending"), 1202, "it changed something without a yes");
    assert_eq!(
        server.run(["jobs", "cancel", "--type", "mail", "--dry-run"]),
        "1,200 jobs match; nothing was changed\n"
    );
    assert_eq!(
        json(&server, &["jobs", "cancel", "--type", "mail", "--tenant", "acme", "--dry-run"]),
        json!({"matched": 600, "more": false, "dry_run": true})
    );
    assert_eq!(server.run(["jobs", "cancel", "--type", "mail", "--yes"]), "1,200 cancelled\n");
    assert_eq!((status("pending"), status("cancelled")), (2, 1200));
    assert_eq!(server.run(["jobs", "cancel", "--type", "mail"]), "no jobs match\n");

    let totals =
        json(&server, &["jobs", "retry", "--status", "cancelled", "--tenant", "acme", "--yes"]);
    assert_eq!(totals, json!({"matched": 600, "changed": 600, "asked": 0, "unchanged": 0}));
    assert_eq!((status("pending"), status("cancelled")), (602, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_changed_by_their_ids_and_a_missing_one_is_a_failure() {
    let server = TestServer::installed().await;
    let ids: Vec<String> =
        server.dispatch("mail", 2).await.iter().map(ToString::to_string).collect();
    let (acme, bolt) = (ids[0].as_str(), ids[1].as_str());
    let answer = json(&server, &["jobs", "cancel", acme]);
    assert_eq!(answer, json!({"jobs": [{"id": acme, "status": "cancelled"}], "not_found": 0}));
    let table = server.run(["jobs", "retry", acme]);
    assert_eq!(table.lines().nth(1).unwrap(), format!("{acme}  pending"));
    // another tenant's answers as a missing one
    let of_acme = ["jobs", "cancel", acme, bolt, NOBODY, "--tenant", "acme"];
    let table = fails(&server, &of_acme, 1, "2 of 3 jobs were not found");
    for line in
        [format!("{acme}  cancelled"), format!("{bolt}  not found"), format!("{NOBODY}  not found")]
    {
        assert!(table.contains(&line), "{table}");
    }
    assert_eq!(json(&server, &["jobs", "show", bolt])["status"], "pending");
    let answer =
        fails(&server, &["jobs", "retry", NOBODY, "--json"], 1, "1 of 1 job was not found");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["not_found"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_is_changed() {
    let server = TestServer::installed().await;
    let id = server.dispatch("mail", 1).await[0].to_string();
    fails(&server, &["jobs", "cancel"], 2, "which jobs to cancel is not said");
    fails(&server, &["jobs", "retry", "--yes"], 2, "which jobs to retry is not said");
    fails(&server, &["jobs", "cancel", &id, "--type", "mail"], 2, "ids and a filter are given");
    fails(&server, &["jobs", "cancel", &id, "--dry-run"], 2, "cannot be used with");
    fails(&server, &["jobs", "cancel", "--status", "failed", "--yes"], 2, "cannot be cancelled");
    fails(&server, &["jobs", "retry", "--status", "pending", "--yes"], 2, "need no retry");
    fails(&server, &["jobs", "list", "--older-than", "soon"], 2, "write it like");
    fails(
        &server,
        &["jobs", "list", "--older-than", "99999d"],
        2,
        "--older-than: must be at most 50 years",
    );
    fails(&server, &["jobs", "list", "--all", "--limit", "5"], 2, "cannot be used with");
    fails(&server, &["queues", "pause", "No Name"], 2, "<QUEUE>: must match");
    fails(
        &server,
        &["prune", "--retention", "5m"],
        2,
        "--retention: must be seconds from 3,600 (1 hour)",
    );
    fails(&server, &["queues", "list", "--color", "blue"], 2, "always");
    assert_eq!(json(&server, &["jobs", "show", &id])["status"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_by_age_and_error_and_show_every_page() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1100).await;
    let all = json(&server, &["jobs", "list", "--type", "mail", "--all"]);
    assert_eq!((all["jobs"].as_array().unwrap().len(), &all["next"]), (1100, &Value::Null));
    let table = server.run(["jobs", "list", "--all"]);
    assert_eq!(table.lines().count(), 1101, "a heading, and a line for each job");
    let none = json(&server, &["jobs", "list", "--older-than", "1h", "--all"]);
    assert_eq!(none, json!({"jobs": [], "next": null}));
    assert_eq!(
        json(&server, &["jobs", "list", "--newer-than", "1h"])["jobs"].as_array().unwrap().len(),
        50
    );

    let failing = server.dispatch("failing", 1).await[0].to_string();
    server.run(["work", "--drain", "--exec", "failing=echo the mast broke >&2; exit 65"]);
    let found = |text: &str| json(&server, &["jobs", "list", "--error", text])["jobs"].clone();
    assert_eq!(found("exit_65")[0]["id"], failing.as_str());
    assert_eq!(found("EXITED WITH")[0]["id"], failing.as_str());
    assert_eq!(found("the mast broke")[0]["id"], failing.as_str(), "what it wrote to stderr");
    assert_eq!(found("keel"), json!([]));
    let retried = json(&server, &["jobs", "retry", "--error", "exit_65", "--yes"]);
    assert_eq!(retried["changed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_and_for_those_who_ask() {
    let server = TestServer::installed().await;
    let id = server.dispatch("mail", 1).await[0].to_string();
    server.run(["jobs", "cancel", &id]);
    let list = ["jobs", "list"];
    assert!(!server.run(list).contains('\u{1b}'), "colours in a pipe");
    let always = server.run(list.into_iter().chain(["--color", "always"]));
    assert!(always.contains("\u{1b}[35mcancelled\u{1b}[0m"), "{always:?}");
    let plain = |flag: &str| {
        let mut command = server.fairclaim(list.into_iter().chain(["--color", flag]));
        command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!plain("never").contains('\u{1b}'));
    assert!(!json(&server, &["jobs", "list", "--color", "always"]).to_string().contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_gives_workers_nothing_until_it_is_resumed() {
    let server = TestServer::installed().await;
    assert_eq!(server.run(["queues", "list"]), "no queues\n");
    server.dispatch("ok", 3).await;
    let paused = json(&server, &["queues", "pause", "default"]);
    assert_eq!((&paused["was_paused"], &paused["in_use"]), (&json!(false), &json!(true)));
    assert!(
        server
            .run(["queues", "pause", "default"])
            .starts_with("default was paused already, since 20")
    );
    let work = ["work", "--drain", "--exec", "ok=true"];
    server.run(work);
    let rows = json(&server, &["queues", "list"]);
    let row = &rows["queues"][0];
    assert_eq!(
        (&row["queue"], &row["waiting"], &row["tenants_waiting"]),
        (&json!("default"), &json!(3), &json!(2))
    );
    assert!(row["paused_at"].is_string() && row["oldest_waiting_seconds"].is_number(), "{row}");
    let table = server.run(["queues", "list"]);
    assert!(table.lines().nth(1).unwrap().starts_with("default  paused 20"), "{table}");

    assert_eq!(server.run(["queues", "resume", "default"]), "resumed default\n");
    server.run(work);
    assert_eq!(
        json(&server, &["jobs", "list", "--status", "completed"])["jobs"].as_array().unwrap().len(),
        3
    );
    let misspelt = server.run(["queues", "pause", "defualt"]);
    assert!(misspelt.contains("note: no job waits in defualt"), "{misspelt}");
    assert!(server.run(["queues", "resume", "other"]).starts_with("other was not paused\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_fair_by_seconds_when_it_is_told_to() {
    let server = TestServer::installed().await;
    server.dispatch("ok", 3).await;
    assert_eq!(
        server.run(["queues", "fair-by", "default", "seconds"]),
        "default is fair by seconds from the next tick on\n"
    );
    assert_eq!(json(&server, &["queues", "list"])["queues"][0]["fair_by"], "seconds");
    let again = server.run(["queues", "fair-by", "default", "seconds"]);
    assert_eq!(again, "default was fair by seconds already\n");
    let back = json(&server, &["queues", "fair-by", "default", "claims"]);
    assert_eq!(
        back,
        json!({"queue": "default", "fair_by": "claims", "was_fair_by": "seconds", "in_use": true})
    );
    let misspelt = server.run(["queues", "fair-by", "defualt", "claims"]);
    assert!(misspelt.contains("note: no job waits in defualt"), "{misspelt}");
    fails(&server, &["queues", "fair-by", "default", "money"], 2, "claims, seconds");
    fails(&server, &["queues", "fair-by", "No Name", "claims"], 2, "<QUEUE>");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_listed_with_their_slots_and_not_after_their_end() {
    let server = TestServer::installed().await;
    server.dispatch("ok", 3).await;
    server.run(["work", "--drain", "--exec", "ok=true"]);
    assert_eq!(server.run(["workers", "list"]), "no workers\n", "it has ended");
    let connection = server.client.pool().get().await.unwrap();
    let report = "select from fairclaim.report_work('host:1', 'host', '1.2', '{mail,bill}', '{5,3}', '{send}')";
    connection.execute(report, &[]).await.unwrap();
    let table = server.run(["workers", "list"]);
    let line = table.lines().nth(1).unwrap();
    for part in ["host:1", "live", "mail (5) bill (3)", "send", "1.2"] {
        assert!(line.contains(part), "{part}: {table}");
    }
    let row = &json(&server, &["workers", "list"])["workers"][0];
    assert_eq!((&row["slots"], &row["is_live"]), (&json!([5, 3]), &json!(true)));
    assert!(row["seen_seconds"].is_number() && row["silent_until"].is_string(), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_stopped_at_its_bound_is_shown_with_a_plus() {
    let server = TestServer::installed().await;
    let shown = || {
        let table = server.run(["queues", "list"]);
        table.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    server.dispatch("mail", 10_000).await;
    assert_eq!(shown()[..4], ["default", "open", "10,000", "2"], "that many and no more");
    server.dispatch("mail", 1).await;
    assert_eq!(shown()[..4], ["default", "open", "10,000+", "2+"]);
    let row = &json(&server, &["queues", "list"])["queues"][0];
    assert_eq!(row["waiting"], 10_000);
    assert_eq!(row["at_least"], json!(["waiting", "tenants_waiting"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_says_what_it_did_and_a_login_without_roles_what_to_ask_for() {
    let server = TestServer::installed().await;
    assert!(server.run(["prune"]).starts_with("nothing is past retention"));
    let answer = json(&server, &["prune", "--retention", "30d"]);
    assert_eq!(
        answer,
        json!({"ranges_dropped": 0, "rows_deleted": 0, "passed_over": 0, "ranges_in_use": 0, "busy": false})
    );
    server.postgres.create_login("stranger", "").await.unwrap();
    let url = server.postgres.url("app", "stranger");
    for args in [
        &["prune"][..],
        &["queues", "list"],
        &["queues", "pause", "default"],
        &["queues", "fair-by", "default", "seconds"],
        &["workers", "list"],
        &["jobs", "cancel", NOBODY],
        &["jobs", "retry", "--type", "mail"],
        &["jobs", "release", NOBODY],
        &["jobs", "release", "--worker", "gone"],
    ] {
        let args = [args, &["--database-url", &url]].concat();
        fails(&server, &args, 1, "as an administrator: grant ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_the_login_of_a_producer_ends_with_the_grant_to_ask_for() {
    let server = TestServer::installed().await;
    server.postgres.create_login("producer", "").await.unwrap();
    let granted = "grant fairclaim_producer to producer";
    server.client.pool().get().await.unwrap().batch_execute(granted).await.unwrap();
    let url = server.postgres.url("app", "producer");
    for args in [&["work"][..], &["work", "--drain"]] {
        let args = [args, &["--exec", "mail=true", "--database-url", &url]].concat();
        let output = server.fairclaim(args.iter().copied()).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let told = said.lines().any(|line| line.starts_with("error: privilege missing"));
        assert!(told, "{said}");
        let hint = "hint: as an administrator: grant fairclaim_worker to producer;";
        assert!(said.lines().any(|line| line.starts_with(hint)), "{said}");
    }
}

/// The login that installs may act as the owner, and is no operator unless it grants itself the role.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_operator_is_told_to_name_the_tenant_or_to_become_one() {
    let server = TestServer::bare().await;
    server.run(["migrate"]);
    server.run(["dispatch", "--tenant", "acme", "--type", "mail"]);
    let all = ["jobs", "cancel", "--type", "mail", "--yes"];
    let refused = server.fairclaim(all).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(said.starts_with("error: tenant missing or foreign: --tenant: is missing\n"), "{said}");
    assert!(said.contains("\nhint: name the tenant; ") && !said.contains("p_tenant"), "{said}");
    assert!(said.contains("grant fairclaim_operator to app"), "{said}");
    let named = server.run(all.into_iter().chain(["--tenant", "acme"]));
    assert_eq!(named.trim(), "1 cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_worker_that_is_gone_are_taken_back() {
    let server = TestServer::installed().await;
    let ids: Vec<String> =
        server.dispatch("mail", 4).await.iter().map(ToString::to_string).collect();
    let claim = "select from fairclaim.claim_jobs('gone', null, 4, p_lease => 86400)";
    let session = server.client.pool().get().await.unwrap();
    assert_eq!(session.query(claim, &[]).await.unwrap().len(), 4);
    server.run(["jobs", "cancel", &ids[3]]);

    let answer = json(&server, &["jobs", "release", &ids[0]]);
    assert_eq!(answer, json!({"jobs": [{"id": ids[0], "status": "pending"}], "not_found": 0}));
    let table =
        fails(&server, &["jobs", "release", &ids[0], NOBODY], 1, "1 of 2 jobs was not found");
    assert!(table.contains(&format!("{NOBODY}  not found")), "{table}");
    assert_eq!(server.run(["jobs", "release", "--worker", "other"]), "this worker holds no job\n");
    assert_eq!(
        server.run(["jobs", "release", "--worker", "gone"]),
        "2 waiting again, 1 cancelled as was asked for\n"
    );
    assert_eq!(json(&server, &["jobs", "release", "--worker", "gone"]), json!({"jobs": []}));
    assert_eq!(json(&server, &["jobs", "show", &ids[3]])["status"], "cancelled");
    server.run(["work", "--drain", "--exec", "mail=true"]);
    assert_eq!(server.count(fairclaim::Status::Completed).await, 3);

    fails(&server, &["jobs", "release"], 2, "required arguments were not provided");
    fails(&server, &["jobs", "release", &ids[0], "--worker", "gone"], 2, "cannot be used with");
    fails(
        &server,
        &["jobs", "release", "--tenant", "acme", "--worker", "gone"],
        2,
        "cannot be used",
    );
}
