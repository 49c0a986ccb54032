//! The configuration file against a server: flag over environment over file.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::{
    lines::Folder,
    support::{TestServer, fairclaim, stderr},
};

/// An address that nobody listens on.
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none?connect_timeout=2";

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let good = folder.write("good.toml", format!("database_url = \"{}\"\n", server.url));
    let bad = folder.write("bad.toml", format!("database_url = \"{NOWHERE}\"\n"));
    let works = |file: &str, environment: Option<&str>, flag: Option<&str>| {
        let mut command = fairclaim(["jobs", "list", "--config", file]);
        command.envs(environment.map(|url| ("DATABASE_URL", url)));
        command.args(flag.map(|url| format!("--database-url={url}")));
        command.output().unwrap().status.success()
    };
    let url = Some(server.url.as_str());
    assert!(works(&good, None, None), "the file");
    assert!(!works(&good, Some(NOWHERE), None), "the environment wins over the file");
    assert!(works(&bad, url, None));
    assert!(!works(&good, url, Some(NOWHERE)), "the flag wins over both");
    assert!(works(&bad, Some(NOWHERE), url));
    assert!(works(&good, Some(""), None), "a variable that is set to nothing is not set");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_flag_can_stand_in_the_file() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    folder.write(
        "fairclaim.toml",
        "[dispatch]\ntenant = \"acme\"\ntype = \"greet\"\ntag = [\"a\", \"b\"]\njson = true\ndelay = 0\nmax-attempts = 3\n\
         [work]\nqueue = [\"default:2\"]\nexec = [\"greet=cat\"]\ndrain = true\nlease = \"1m\"\n\
         [jobs.list]\nlimit = 1\nstatus = \"completed\"\njson = true\n",
    );
    let run = |args: &[&str]| {
        let mut command = server.fairclaim(args.iter().copied());
        let output = command.current_dir(folder.path("")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    // what excludes the file's `delay` on the command line wins over it
    let passed = ["dispatch", "--run-at", "2001-01-01T00:00:00Z"];
    let passed = server.fairclaim(passed).current_dir(folder.path("")).output().unwrap();
    assert!(
        stderr(&passed).contains("--run-at"),
        "a moment long past is refused: {}",
        stderr(&passed)
    );
    for _ in 0..2 {
        let answer: Value = serde_json::from_str(&run(&["dispatch"])).unwrap();
        assert!(answer["id"].is_string());
    }
    run(&["work"]);
    let page: Value = serde_json::from_str(&run(&["jobs", "list"])).unwrap();
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(page["jobs"][0]["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(page["jobs"][0]["max_attempts"], 3);
    let all: Value = serde_json::from_str(&run(&["jobs", "list", "--limit", "9"])).unwrap();
    assert_eq!(all["jobs"].as_array().unwrap().len(), 2, "a flag wins");
    let tagged: Value = serde_json::from_str(&run(&["dispatch", "--tag", "own"])).unwrap();
    let shown = server.run(["jobs", "show", tagged["id"].as_str().unwrap(), "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        shown["tags"],
        serde_json::json!(["own"]),
        "a flag that may be repeated replaces the list"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_others_may_read_is_warned_of() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let url = server.url.replace("app@", "app:hunter2@");
    let file = folder.write("fairclaim.toml", format!("database_url = \"{url}\"\n"));
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = fairclaim(["jobs", "list", "--config", &file]).output().unwrap();
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(
            said.contains("holds a password and others may read it"),
            warned,
            "{mode:o}: {said}"
        );
        assert_eq!(said.contains("hint: chmod 600"), warned, "{mode:o}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
