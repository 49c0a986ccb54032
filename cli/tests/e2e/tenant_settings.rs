//! Weights, limits, quotas and pauses of tenants as an operator and a deployment type them.

use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

/// Fails with a code, says this, and hints.
#[track_caller]
fn fails(server: &TestServer, args: &[&str], code: i32, says: &str) {
    let output = server.fairclaim(args.iter().copied()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(says), "{args:?} should say {says:?}: {said}");
    assert!(said.contains("hint: "), "{args:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_tenants_are_set_shown_and_taken_back() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 2).await;
    for (args, told) in [
        (
            vec!["limit", "--default", "5"],
            "the limit of every tenant without one of its own is 5\n",
        ),
        (vec!["limit", "acme", "8"], "the limit of acme is 8\n"),
        (vec!["limit", "acme", "2", "--queue", "default"], "the limit of acme in default is 2\n"),
        (vec!["weight", "acme", "3"], "the weight of acme is 3\n"),
        (
            vec!["quota", "acme", "100", "--accept"],
            "the quota of acme is 100, and more is accepted\n",
        ),
        (vec!["weight", "acme", "base"], "acme: no weight is set any more\n"),
    ] {
        let args: Vec<&str> = ["tenants"].into_iter().chain(args).collect();
        assert_eq!(server.run(args.iter().copied()), told, "{args:?}");
    }
    let told = server.run(["tenants", "weight", "acmee", "3", "--why", "a typo"]);
    assert!(told.contains("note: no job was dispatched for acmee by name"), "{told}");
    let told = server.run(["queues", "limit", "defualt", "3"]);
    assert!(told.starts_with("the limit of all tenants together in defualt is 3\n"), "{told}");
    assert!(told.contains("note: no job waits in defualt"), "{told}");

    let shown = json(&server, &["tenants", "show", "acme"]);
    let seen: Vec<(&Value, &Value, &Value)> = shown["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bound| (&bound["kind"], &bound["queue"], &bound["in_force"]))
        .collect();
    let expected = [
        (json!("running"), json!(null), json!(8)),
        (json!("waiting"), json!(null), json!(100)),
        (json!("running"), json!("default"), json!(2)),
    ];
    assert_eq!(seen, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    let table = server.run(["tenants", "show"]);
    for word in ["(default) ", "(queue) ", " defualt ", "a typo"] {
        assert!(table.contains(word), "{table}");
    }

    let paused = json(&server, &["tenants", "pause", "acme", "--for", "2h", "--why", "unpaid"]);
    assert_eq!((&paused["was_paused"], &paused["known"]), (&json!(false), &json!(true)));
    assert!(paused["until"].is_string() && paused["paused_at"].is_string(), "{paused}");
    assert!(
        server.run(["tenants", "pause", "acme"]).starts_with("acme was paused already, since ")
    );
    assert_eq!(server.run(["tenants", "resume", "acme"]), "resumed acme\n");
    assert_eq!(server.run(["tenants", "resume", "acme"]), "acme was not paused\n");

    let audit = json(&server, &["tenants", "audit", "--limit", "1"]);
    assert_eq!(audit["changes"][0]["what"], "resume_tenant");
    assert!(server.run(["tenants", "audit"]).contains("unpaid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_declares_what_its_file_says() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1).await;
    let name = format!("fc-limits-{}.json", uuid::Uuid::new_v4().simple());
    let path = std::env::temp_dir().join(name);
    let file = path.to_str().unwrap();
    let declare = ["tenants", "declare", "--file", file];
    std::fs::write(&path, r#"{"default": {"max_running": 5}, "tenants": {"acme": {"weight": 3}}}"#)
        .unwrap();
    let lines = "added default.max_running: 5\nadded tenants.acme.weight: 3\n";
    assert_eq!(
        server.run(declare.iter().copied().chain(["--dry-run"])),
        format!("{lines}2 settings would change; nothing was changed\n")
    );
    assert_eq!(server.run(declare), format!("{lines}2 settings changed\n"));
    assert_eq!(server.run(declare), "nothing to change\n");
    server.run(["tenants", "weight", "acme", "7"]);
    assert_eq!(
        server.run(["tenants", "weight", "acme", "base"]),
        "the weight of acme is 3, as declared\n"
    );
    std::fs::write(&path, "{}").unwrap();
    let changes = json(&server, &declare);
    assert_eq!(changes["changes"].as_array().unwrap().len(), 2);

    for (text, code, says) in [
        (r#"{"tenants": {"b": {}, "acme": {"weight": 0}}}"#, 2, "tenants.acme.weight: must be"),
        (r#"{"tenants": {"acme": {"wieght": 1}}}"#, 2, "tenants.acme: has an unknown key"),
        (r#"{"tenant": {}}"#, 2, "the document has an unknown key"),
        (r#"{"default": {}, "default": {}}"#, 2, "--file is not acceptable JSON"),
        ("{", 2, "--file is not acceptable JSON"),
    ] {
        std::fs::write(&path, text).unwrap();
        fails(&server, &declare, code, says);
    }
    std::fs::remove_file(&path).unwrap();
    fails(&server, &["tenants", "declare", "--file", "/nowhere.json"], 2, "cannot read --file");
    fails(&server, &["tenants", "limit", "5"], 2, "TENANT");
    fails(&server, &["tenants", "limit", "acme", "many"], 2, "a whole number, or base");
    fails(&server, &["tenants", "limit", "--default", "acme", "5"], 2, "cannot be used with");
    fails(&server, &["tenants", "weight", "acme", "101"], 2, "must be from 1 to 100");
    fails(&server, &["tenants", "quota", "acme", "base", "--accept"], 2, "--accept");
    fails(&server, &["tenants", "limit", "acme", "1", "--queue", "No"], 2, "--queue");
    fails(
        &server,
        &["tenants", "limit", "acme", "1", "--until", "2001-01-01T00:00:00Z"],
        2,
        "--until",
    );
}
