//! Settings, default tenant and names of tenants as they are typed.

use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

/// Fails with a code and says this.
#[track_caller]
fn fails(server: &TestServer, args: &[&str], code: i32, says: &[&str]) {
    let output = server.fairclaim(args.iter().copied()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for says in says {
        assert!(said.contains(says), "{args:?} should say {says:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_listed_and_set_in_the_units_that_people_write() {
    let server = TestServer::installed().await;
    let list = server.run(["settings", "list"]);
    let first = "NAME              VALUE  DEFAULT\n\
                 retention         7d     7d\n  \
                 How long a job is kept after it has ended, with its result and errors.\n\
                 max_payload       1 MiB  1 MiB\n";
    assert!(list.starts_with(first), "{list}");
    assert!(list.contains("\ntick_every        500ms  500ms\n"), "{list}");
    assert!(list.contains("\ndefault_tenant    -      -\n"), "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");

    for (name, typed, shown, stored) in [
        ("retention", "30d", "30d", "2592000"),
        ("retention", "36h", "36h", "129600"),
        ("retention", "5400", "90m", "5400"),
        ("max_payload", "256 KiB", "256 KiB", "262144"),
        ("max_payload", "2MiB", "2 MiB", "2097152"),
        ("tick_every", "250ms", "250ms", "0.25"),
        ("max_own_lanes", "50", "50", "50"),
        ("default_tenant", "app", "app", "app"),
    ] {
        let told = server.run(["settings", "set", name, typed]);
        assert_eq!(told, format!("{name} is {shown}\n"));
        let settings = json(&server, &["settings", "list"]);
        let is_it = |setting: &&Value| setting["name"] == name;
        let setting = settings["settings"].as_array().unwrap().iter().find(is_it).unwrap();
        assert_eq!(setting["value"], stored);
    }
    assert_eq!(server.run(["settings", "set", "retention", "default"]), "retention is 7d\n");
    assert_eq!(server.run(["settings", "set", "default_tenant", "null"]), "default_tenant is -\n");
    let set = json(&server, &["settings", "set", "close_delay", "1m"]);
    assert_eq!((&set["value"], &set["unit"]), (&json!("60"), &json!("seconds")));

    let names = "the names are retention, max_payload, ";
    fails(&server, &["settings", "set", "retentoin", "1d"], 2, &["no setting of that name", names]);
    let shape = "write it like 250ms, 30s";
    fails(
        &server,
        &["settings", "set", "retention", "a while"],
        2,
        &["no value for retention", shape],
    );
    fails(&server, &["settings", "set", "max_payload", "1 MB"], 2, &["500 KiB or 1 MiB"]);
    let output = server.fairclaim(["settings", "set", "retention", "1m"]).output().unwrap();
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("must be a number of seconds from 3600"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_may_be_left_out_where_there_is_a_default_one_and_names_are_shown() {
    let server = TestServer::installed().await;
    let hint = "fairclaim settings set default_tenant app";
    fails(&server, &["dispatch", "--type", "greet"], 2, &["--tenant is missing", hint]);
    let file = server.postgres.directory().with_extension("jsonl");
    std::fs::write(&file, "{\"type\": \"greet\"}\n").unwrap();
    let lines = ["dispatch", "--file", file.to_str().unwrap()];
    fails(&server, &lines, 1, &["line 1: tenant_id: is missing, --tenant is not given, "]);
    std::fs::remove_file(&file).unwrap();
    server.run(["settings", "set", "default_tenant", "app"]);
    let id = server.run(["dispatch", "--type", "greet"]);
    let app = json!(fairclaim::Tenant::named("app").unwrap());
    let job = json(&server, &["jobs", "show", id.trim()]);
    assert_eq!((&job["tenant"], &job["tenant_id"]), (&json!("app"), &app));
    server.run(["dispatch", "--type", "greet", "--tenant", "acme"]);
    let list = json(&server, &["jobs", "list"]);
    assert_eq!(
        (&list["jobs"][0]["tenant"], &list["jobs"][1]["tenant"]),
        (&json!("acme"), &json!("app"))
    );
    let table = server.run(["jobs", "list"]);
    assert!(table.contains("acme") && table.contains("app"), "{table}");
}
