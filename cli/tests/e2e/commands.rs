//! migrate, dispatch, work, jobs: one after the other, as a user types them.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_from_dispatch_to_its_result() {
    let server = TestServer::bare().await;
    let early = server.fairclaim(["jobs", "list"]).output().unwrap();
    assert_eq!(early.status.code(), Some(1));
    assert!(stderr(&early).contains("hint: "), "{}", stderr(&early));

    assert!(server.run(["migrate", "--grant-self"]).starts_with("installed the schema"));
    let again: Value = serde_json::from_str(&server.run(["migrate", "--json"])).unwrap();
    assert_eq!(again["from"], again["to"]);
    assert_eq!(again["applied"], json!([]));

    let id = server.run([
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
    let worked = server
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

    let job: Value = serde_json::from_str(&server.run(["jobs", "show", id, "--json"])).unwrap();
    assert_eq!(job["status"], "completed");
    assert_eq!(job["worker_id"], "w-1");
    assert_eq!(job["attempts"], 1);
    assert_eq!(job["result"], json!({"name": "Ada"}));
    assert_eq!(job["metadata"], json!({"request": "r-1"}));
    assert_eq!(job["tags"], json!(["first"]));
    assert!(server.run(["jobs", "show", id]).contains("completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_filtered() {
    let server = TestServer::installed().await;
    let ids = server.dispatch("mail", 5).await;
    server.dispatch("other", 1).await;
    let page = |args: &[&str]| -> Value {
        let all = ["jobs", "list", "--json", "--type", "mail"].iter().chain(args).copied();
        serde_json::from_str(&server.run(all)).unwrap()
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
    assert_eq!(server.run(["jobs", "list", "--status", "failed"]).trim(), "no jobs");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_can_be_json() {
    let server = TestServer::installed().await;
    server.dispatch("ok", 1).await;
    let output = server
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

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_all_the_queues_and_types_that_it_is_given_and_no_other() {
    let server = TestServer::installed().await;
    let mut ids = Vec::new();
    for (queue, job_type) in [
        ("mail", "send"),
        ("mail", "count"),
        ("eu:slow", "send"),
        ("eu:slow", "count"),
        ("mail", "unknown"),
        ("other", "send"),
    ] {
        let tenant = Tenant::named("acme").unwrap();
        let dispatch = Dispatch::raw(tenant, job_type, json!([queue])).unwrap().queue(queue);
        ids.push(server.client.dispatch(dispatch).await.unwrap());
    }
    let queues = ["work", "--drain", "--queue", "mail:2", "--queue", "eu:slow:1"];
    server.run(queues.into_iter().chain(["--exec", "send=cat", "--exec", "count=wc -c"]));
    let mut seen = Vec::new();
    for id in ids {
        let job = server.job(id).await;
        seen.push((job.status, job.result));
    }
    let completed = |result: Value| (Status::Completed, Some(result));
    assert_eq!(
        seen,
        [
            completed(json!(["mail"])),
            completed(json!(8)),
            completed(json!(["eu:slow"])),
            completed(json!(11)),
            (Status::Pending, None),
            (Status::Pending, None),
        ]
    );
}

/// The lines of the README's section on installing.
fn install_lines() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let section = readme.split("\n## Install\n").nth(1).expect("a section on installing");
    let block = section.split("```sh\n").nth(1).expect("a block of commands");
    block.split("```").next().unwrap().to_owned()
}

/// A folder for PATH with the built binary, and a cargo that has nothing to install.
fn programs() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fc-path-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fairclaim"), folder.join("fairclaim")).unwrap();
    let cargo = folder.join("cargo");
    fs::write(&cargo, "#!/bin/sh\n[ \"$*\" = 'install --path cli' ]\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_install_lines_of_the_readme_work_as_they_are_printed() {
    let server = TestServer::bare().await;
    let lines = install_lines();
    assert!(lines.contains("DATABASE_URL=postgres://…"), "{lines}");
    let lines = lines.replace("postgres://…", &format!("'{}'", server.url));
    let programs = programs();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let shell = shell.args(["-euc", &lines]).env("PATH", path).env_remove("RUST_LOG");
    let output = shell.env_remove("DATABASE_URL").output().unwrap();
    fs::remove_dir_all(&programs).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(stderr(&output).contains("greet: {\"name\": \"Ada\"}"), "{}", stderr(&output));
    let listed = |line: &str| line.contains("completed") && line.contains("greet");
    assert!(said.lines().any(listed), "{said}");
    assert!(said.lines().last().unwrap().contains(" 0 errors"), "{said}");
    let page = server.client.jobs(&fairclaim::JobFilter::default()).await.unwrap();
    assert_eq!(page.jobs.len(), 1);
    assert_eq!(server.job(page.jobs[0].id).await.result, Some(json!({"name": "Ada"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_whom_it_waits_for_and_goes_on_when_they_are_done() {
    let server = TestServer::installed().await;
    let (holder, link) = tokio_postgres::connect(&server.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(link);
    holder.batch_execute("begin; select count(*) from fairclaim.job_queue").await.unwrap();
    let pid: i32 = holder.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let mut command = server.fairclaim(["migrate"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    lines.read_line(&mut said).unwrap();
    assert!(said.contains("migrate waits for a lock"), "{said}");
    assert!(said.contains(&format!("pid {pid};")), "{said}");
    holder.batch_execute("commit").await.unwrap();
    assert!(child.wait().unwrap().success());
}
