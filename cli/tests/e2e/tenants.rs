//! tenants as an operator types them.

use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

/// Fails with a code, a text and a hint.
#[track_caller]
fn fails(server: &TestServer, args: &[&str], code: i32, says: &str) {
    let output = server.fairclaim(args.iter().copied()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(says), "{args:?} should say {says:?}: {said}");
    assert!(said.contains("\nhint: ") || said.starts_with("hint: "), "{args:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_moved_cancelled_and_run_again() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 2400).await;
    let moves = ["tenants", "move", "acme", "--queue", "default", "--to-queue", "bulk"];
    fails(&server, &moves, 2, "1,200 jobs match, and there is no terminal to ask on");
    let moves = moves.into_iter().chain(["--yes"]).collect::<Vec<_>>();
    assert_eq!(server.run(moves.iter().copied()), "1,200 moved\n");
    let queues = json(&server, &["queues", "list"]);
    let waiting: Vec<_> =
        queues["queues"].as_array().unwrap().iter().map(|row| row["waiting"].clone()).collect();
    assert_eq!(waiting, [1200, 1200]);
    let cancel = ["tenants", "cancel", "acme", "--queue", "bulk"];
    let dry = server.run(cancel.into_iter().chain(["--dry-run"]));
    assert_eq!(dry, "1,200 jobs match; nothing was changed\n");
    assert_eq!(server.run(cancel.into_iter().chain(["--yes"])), "1,200 cancelled\n");
    assert_eq!(server.run(cancel), "no jobs match\n");

    server.dispatch("failing", 2).await;
    server.run(["work", "--drain", "--exec", "failing=exit 65"]);
    let retried = json(&server, &["tenants", "retry", "acme", "--per-second", "1", "--yes"]);
    assert_eq!((&retried["changed"], &retried["looked"]), (&json!(1), &json!(1201)));
    assert!(retried["until"].is_string(), "{retried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_refuses_dispatches_and_says_how_it_ends() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 2).await;
    let told = server.run(["tenants", "drain", "acme", "--why", "it leaves"]);
    assert_eq!(told, "acme takes no new jobs; `fairclaim tenants undrain acme` ends it\n");
    assert!(
        server
            .run(["tenants", "drain", "acme"])
            .starts_with("acme takes no new jobs already, since 20")
    );
    let dispatch = ["dispatch", "--tenant", "acme", "--type", "mail"];
    fails(&server, &dispatch, 1, "is being drained and takes no new jobs");
    server.run(["dispatch", "--tenant", "bolt", "--type", "mail"]);
    let shown = server.run(["tenants", "quotas"]);
    let row = shown.lines().nth(1).unwrap();
    assert!(row.starts_with("acme    all    none") && row.contains("drained since 20"), "{shown}");
    let quotas = json(&server, &["tenants", "quotas", "acme"]);
    assert_eq!(
        (&quotas["quotas"][0]["subject"], &quotas["quotas"][0]["waiting"]),
        (&json!("drain"), &json!(1))
    );
    assert_eq!(server.run(["tenants", "undrain", "acme"]), "acme takes jobs again\n");
    assert_eq!(server.run(["tenants", "undrain", "acme"]), "acme was not being drained\n");
    server.run(dispatch);

    let drained = json(&server, &["queues", "drain", "default"]);
    assert_eq!((&drained["was_drained"], &drained["in_use"]), (&json!(false), &json!(true)));
    fails(&server, &dispatch, 1, "is being drained and takes no new jobs");
    let table = server.run(["queues", "list"]);
    assert!(table.lines().nth(1).unwrap().starts_with("default  drained 20"), "{table}");
    assert_eq!(server.run(["queues", "undrain", "default"]), "default takes jobs again\n");
    let misspelt = server.run(["queues", "drain", "defualt"]);
    assert!(misspelt.contains("note: no job waits in defualt"), "{misspelt}");
    server.run(dispatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_exported_and_purged() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 900).await;
    let lines = server.run(["tenants", "export", "acme"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["kind"], "tenant");
    let jobs: Vec<_> = lines.iter().filter(|line| line["kind"] == "job").collect();
    assert_eq!((jobs.len(), &jobs[0]["document"]["payload"]["n"]), (450, &json!(0)));
    let bare = server.run(["tenants", "export", "acme", "--no-payloads"]);
    assert!(!bare.contains("\"payload\""), "{}", bare.lines().last().unwrap());

    assert_eq!(
        server.run(["tenants", "retention", "acme", "1d"]),
        "ended jobs of acme are kept for 1d\n"
    );
    fails(&server, &["tenants", "retention", "acme", "8d"], 2, "must be seconds from 3,600");
    fails(&server, &["tenants", "purge", "acme"], 2, "acme has 450 jobs (450 waiting");
    let dry = server.run(["tenants", "purge", "acme", "--dry-run"]);
    assert!(dry.ends_with("; nothing was changed\n"), "{dry}");
    let purged = json(&server, &["tenants", "purge", "acme", "--why", "it left", "--yes"]);
    assert_eq!((&purged["jobs"], &purged["more"]), (&json!(450), &json!(false)));
    assert_eq!(
        server.run(["tenants", "purge", "acme", "--yes"]),
        "acme: deleted 0 jobs, 0 errors and 0 settings\n"
    );
    let left = json(&server, &["jobs", "list", "--all"]);
    assert_eq!(left["jobs"].as_array().unwrap().len(), 450, "of the other tenant");
    fails(&server, &["tenants", "purge", ""], 2, "must be 1 to 255 bytes");
}
