//! migrate, dispatch, work, jobs: one after the other, as a user types them.

use serde_json::{Value, json};

use crate::support::{Place, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_from_dispatch_to_its_result() {
    let place = Place::bare().await;
    let early = place.fairclaim(["jobs", "list"]).output().unwrap();
    assert_eq!(early.status.code(), Some(1));
    assert!(stderr(&early).contains("hint: "), "{}", stderr(&early));

    assert!(place.run(["migrate", "--grant-self"]).starts_with("installed the schema"));
    let again: Value = serde_json::from_str(&place.run(["migrate", "--json"])).unwrap();
    assert_eq!(again["from"], again["to"]);
    assert_eq!(again["applied"], json!([]));

    let id = place.run([
        "dispatch",
        "--tenant",
        "acme",
        "--type",
        "greet",
        "--payload",
        "{\"name\": \"Ada\"}",
        "--queue",
        "mail",
        "--tag",
        "first",
        "--metadata",
        "{\"request\": \"r-1\"}",
    ]);
    let id = id.trim();
    let worked = place
        .fairclaim([
            "work",
            "--queue",
            "mail:2",
            "--drain",
            "--worker-id",
            "w-1",
            "--exec",
            "greet=cat",
        ])
        .output()
        .unwrap();
    assert!(worked.status.success(), "{}", stderr(&worked));
    assert!(stderr(&worked).contains("Claimed job"), "{}", stderr(&worked));
    assert!(!stderr(&worked).contains("Ada"), "a payload in the log: {}", stderr(&worked));

    let job: Value = serde_json::from_str(&place.run(["jobs", "show", id, "--json"])).unwrap();
    assert_eq!(job["status"], "completed");
    assert_eq!(job["worker_id"], "w-1");
    assert_eq!(job["attempts"], 1);
    assert_eq!(job["result"], json!({"name": "Ada"}));
    assert_eq!(job["metadata"], json!({"request": "r-1"}));
    assert_eq!(job["tags"], json!(["first"]));
    assert!(place.run(["jobs", "show", id]).contains("completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_filtered() {
    let place = Place::installed().await;
    let ids = place.dispatch("mail", 5).await;
    place.dispatch("other", 1).await;
    let page = |args: &[&str]| -> Value {
        let all = ["jobs", "list", "--json", "--type", "mail"].iter().chain(args).copied();
        serde_json::from_str(&place.run(all)).unwrap()
    };
    let first = page(&["--limit", "3"]);
    let next = first["next"].as_str().unwrap().to_owned();
    let second = page(&["--limit", "3", "--before", &next]);
    let seen: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["jobs"].as_array().unwrap())
        .map(|job| job["id"].as_str().unwrap())
        .collect();
    let newest_first: Vec<String> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!(seen, newest_first);
    assert_eq!(second["next"], Value::Null);

    let acme = page(&["--tenant", "acme", "--status", "pending"]);
    assert_eq!(acme["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(page(&["--queue", "none"])["jobs"], json!([]));
    assert_eq!(place.run(["jobs", "list", "--status", "failed"]).trim(), "no jobs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_comes_with_a_hint_and_without_the_payload() {
    let place = Place::installed().await;
    let refused = |args: &[&'static str]| {
        let base = ["dispatch", "--tenant", "acme", "--payload", "{\"pin\": 4711}"];
        let output = place.fairclaim(base.iter().chain(args).copied()).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("\nhint: "), "{args:?}: {said}");
        assert!(!said.contains("4711"), "{args:?}: {said}");
        said
    };
    assert!(refused(&["--type", "no spaces"]).contains("type"));
    assert!(refused(&["--type", "t", "--queue", "UPPER"]).contains("queue"));
    assert!(refused(&["--type", "t", "--priority", "101"]).contains("priority"));
    assert!(refused(&["--type", "t", "--max-attempts", "0"]).contains("max_attempts"));
    let missing =
        place.fairclaim(["jobs", "show", "00000000-0000-7000-8000-000000000000"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("there is no job"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_roles_is_told_what_to_ask_for() {
    let place = Place::installed().await;
    place.server.create_login("stranger", "").await.unwrap();
    let url = place.server.url("app", "stranger");
    let output = place
        .fairclaim(["dispatch", "--tenant", "acme", "--type", "mail", "--database-url", &url])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: as an administrator grant"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_can_be_json() {
    let place = Place::installed().await;
    place.dispatch("ok", 1).await;
    let output = place
        .fairclaim(["work", "--log-format", "json", "--drain", "--exec", "ok=true"])
        .output()
        .unwrap();
    let lines: Vec<Value> =
        stderr(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let claimed = lines
        .iter()
        .find(|line| line["message"].as_str().is_some_and(|text| text.starts_with("Claimed job")))
        .expect("no line about the claim");
    assert_eq!(claimed["type"], "ok");
    assert!(claimed["id"].is_string());
}
