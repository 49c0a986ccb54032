//! `dispatch --file`: each line once, whatever happens meanwhile, and what is refused can be mended
//! and sent.

mod again;
mod faults;
mod input;

use std::{fs, path::PathBuf, process::Output};

use serde_json::{Value, json};

use crate::support::{TestServer, stderr};

/// A folder for the files of a test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("fc-lines-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; answers its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Lines of jobs whose payloads are numbers.
pub(super) fn numbers(range: std::ops::Range<u32>) -> String {
    let line = |n: u32| json!({"tenant": format!("t{}", n % 7), "type": "mail", "payload": n});
    let mut text = String::new();
    for n in range {
        text += &line(n).to_string();
        text.push('\n');
    }
    text
}

/// The payloads of all jobs, in the order of their dispatch.
pub(super) async fn payloads(server: &TestServer) -> Vec<Value> {
    let rows = server.read("select j.payload from fairclaim_internal.job j order by j.id").await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// What `--json` answered.
pub(super) fn totals(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

/// Dispatches a file.
pub(super) fn send(server: &TestServer, args: &[&str]) -> Output {
    let all = ["dispatch", "--json", "--file"].iter().chain(args).copied();
    server.fairclaim(all).output().unwrap()
}

/// Lines with something wrong, the field that is named and the code.
const BAD: &[(&str, &str, &str)] = &[
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":\"SECRET\"", "line", "JQ004"),
    ("\"SECRET\"", "line", "JQ004"),
    ("[\"SECRET\"]", "line", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\"} SECRET", "line", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"SECRET\":1}", "line", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"type\":\"SECRET\"}", "line", "JQ004"),
    ("{\"type\":\"mail\",\"payload\":\"SECRET\"}", "tenant_id", "JQ002"),
    ("{\"tenant_id\":\"SECRET\",\"type\":\"mail\"}", "tenant_id", "JQ004"),
    ("{\"tenant\":\"\",\"type\":\"mail\"}", "tenant", "JQ004"),
    ("{\"tenant\":[\"SECRET\"],\"type\":\"mail\"}", "tenant", "JQ004"),
    (
        "{\"tenant\":\"a\",\"tenant_id\":\"0192f0c1-2345-7abc-8def-0123456789ab\",\"type\":\"mail\"}",
        "tenant",
        "JQ004",
    ),
    ("{\"tenant\":\"a\",\"payload\":\"SECRET\"}", "type", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"SECRET mail\"}", "type", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":7}", "type", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"queue\":\"SECRET\"}", "queue", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"priority\":101}", "priority", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"priority\":\"SECRET\"}", "priority", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"priority\":1e99}", "priority", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"max_attempts\":0}", "max_attempts", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"timeout\":\"SECRET\"}", "timeout", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"timeout\":90000}", "timeout", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"run_at\":\"SECRET\"}", "run_at", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"run_at\":\"2001-01-01T00:00:00Z\"}", "run_at", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"run_at\":\"2099-01-01T00:00:00Z\"}", "run_at", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"timeout\":\"1m\"}", "timeout", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"delay\":-1}", "delay", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"delay\":\"1m\"}", "delay", "JQ004"),
    ("{\"tenant\":\"SECRET\\n\",\"type\":\"mail\"}", "tenant", "JQ004"),
    (
        "{\"tenant\":\"a\",\"type\":\"mail\",\"delay\":1,\"run_at\":\"2027-01-01T00:00:00Z\"}",
        "delay",
        "JQ004",
    ),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"tags\":\"SECRET\"}", "tags", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"tags\":[\"\"]}", "tags", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"metadata\":[\"SECRET\"]}", "metadata", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"key\":\"\"}", "key", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"key\":7}", "key", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"keep_order\":true}", "keep_order", "JQ004"),
    (
        "{\"tenant\":\"a\",\"type\":\"mail\",\"key\":\"k\",\"keep_order\":\"SECRET\"}",
        "keep_order",
        "JQ004",
    ),
    (
        "{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":{\"SECRET\":1,\"SECRET\":2}}",
        "payload",
        "JQ004",
    ),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":\"SECRET\\u0000\"}", "payload", "JQ004"),
    ("{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":\"SECRET\\ud800\"}", "payload", "JQ004"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_do_not_stop_the_good_ones_and_are_sent_when_they_are_mended() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let bad: Vec<&str> = BAD.iter().map(|(line, _, _)| *line).collect();
    let mut mixed = String::new();
    for (n, line) in (0..).zip(&bad) {
        mixed += &numbers(n..n + 1);
        mixed += line;
        mixed.push('\n');
    }
    let (file, refused) = (folder.write("jobs.jsonl", mixed), folder.path("refused.jsonl"));

    let output = send(&server, &[&file, "--refused", &refused]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let count = BAD.len();
    let answer = totals(&output);
    assert_eq!(
        (&answer["lines"], &answer["dispatched"], &answer["refused"]),
        (&json!(2 * count), &json!(count), &json!(count))
    );
    assert_eq!(payloads(&server).await, (0..count).map(|n| json!(n)).collect::<Vec<_>>());
    // the first twenty are shown, and none of them with what is in it
    assert_eq!(said.lines().filter(|line| line.starts_with("line ")).count(), 20, "{said}");
    assert!(said.contains("further refused lines are counted only"), "{said}");
    assert!(
        said.contains(&format!("hint: {refused}.reasons says why; mend {refused} and send it")),
        "{said}"
    );
    assert!(!said.contains("SECRET"), "{said}");

    assert_eq!(folder.read("refused.jsonl").lines().collect::<Vec<_>>(), bad);
    let reasons = folder.read("refused.jsonl.reasons");
    assert!(!reasons.contains("SECRET"), "{reasons}");
    for (n, (reason, (line, field, code))) in reasons.lines().zip(BAD).enumerate() {
        let reason: Value = serde_json::from_str(reason).unwrap();
        assert_eq!(
            (&reason["line"], &reason["field"], &reason["code"]),
            (&json!(2 * n + 2), &json!(field), &json!(code)),
            "{line}"
        );
        assert!(!reason["message"].as_str().unwrap().is_empty(), "{line}");
    }

    let again = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(again.status.code(), Some(1), "what was refused is still refused");
    assert_eq!(folder.read("refused.jsonl.reasons"), reasons, "and reported once");
    let mended = folder.write("mended.jsonl", numbers(100..103));
    assert_eq!(send(&server, &[&mended]).status.code(), Some(0));
    assert_eq!(payloads(&server).await.len(), count + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_database_knows_takes_out_the_one_line() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    // larger than the setting allows, which only the database knows
    let large = |n: u32| {
        format!(
            "{{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":\"{n}{}\"}}\n",
            "x".repeat(1 << 20)
        )
    };
    let text = numbers(0..3) + &large(3) + &numbers(4..6) + &large(6) + &large(7);
    let (file, refused) = (folder.write("jobs.jsonl", &text), folder.path("refused.jsonl"));
    let output = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(payloads(&server).await, [0, 1, 2, 4, 5].map(|n| json!(n)));
    assert_eq!(folder.read("refused.jsonl"), large(3) + &large(6) + &large(7));
    for n in [4, 7, 8] {
        let line = format!("line {n}: payload: must be at most 1048576 bytes of JSON text (JQ004)");
        assert!(stderr(&output).contains(&line), "{}", stderr(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_that_only_the_database_refuses_are_reported_in_their_order() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    // too far ahead, by the clock of the database
    let far = |n: u32| {
        format!(
            "{{\"tenant\":\"a\",\"type\":\"mail\",\"payload\":{n},\"run_at\":\"2099-01-01T00:00:00Z\"}}\n"
        )
    };
    let (mut text, mut bad, mut good) = (String::new(), String::new(), Vec::new());
    for n in 0..600 {
        if n % 3 == 0 || n > 500 {
            good.push(json!(n));
            text += &numbers(n..n + 1);
        } else {
            // some of them are refused here as well, and some there
            let line = if n % 7 == 0 { format!("{{\"bad\":{n}}}\n") } else { far(n) };
            text += &line;
            bad += &line;
        }
    }
    let (file, refused) = (folder.write("jobs.jsonl", &text), folder.path("refused.jsonl"));
    let output = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(payloads(&server).await, good);
    assert_eq!(folder.read("refused.jsonl"), bad);
    let answer = totals(&output);
    let counts = (bad.lines().count(), good.len());
    assert_eq!((&answer["refused"], &answer["dispatched"]), (&json!(counts.0), &json!(counts.1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_all_that_the_flags_can_and_they_fill_in_what_it_lacks() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let text = "{}\n\
        {\"tenant_id\":\"0192f0c1-2345-7abc-8def-0123456789ab\",\"type\":\"other\",\"payload\":{\"a\":[1.50]},\"queue\":\"q\",\
         \"priority\":-3,\"max_attempts\":2,\"timeout\":60,\"tags\":[\"own\"],\"metadata\":{\"own\":1},\"delay\":3600}\n\
        {\"tenant\":42,\"type\":null,\"queue\":null,\"timeout\":1.5}\n";
    let file = folder.write("jobs.jsonl", text);
    let flags = [
        "--tenant",
        "acme",
        "--type",
        "mail",
        "--queue",
        "fast",
        "--priority",
        "5",
        "--max-attempts",
        "9",
        "--timeout",
        "9s",
        "--tag",
        "flag",
        "--metadata",
        "{\"flag\": 2}",
        "--run-at",
        "2027-12-31T00:00:00Z",
    ];
    let args: Vec<&str> = [file.as_str()].into_iter().chain(flags).collect();
    let output = send(&server, &args);
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = server.read("select jsonb_build_object('tenant', j.tenant_id, 'type', j.type, 'payload', j.payload, 'queue', j.queue, 'priority', j.priority,
         'max_attempts', j.max_attempts, 'timeout', extract(epoch from j.timeout)::float8, 'tags', j.tags, 'metadata', j.metadata,
         'due', case when j.run_at = '2027-12-31T00:00:00Z' then 'flag' when j.run_at - j.created_at between '59 min' and '61 min' then 'own' end)
         from fairclaim_internal.job j order by j.id").await;
    let jobs: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
    let tenant = |name: &str| json!(fairclaim::Tenant::named(name).unwrap());
    assert_eq!(
        jobs,
        [
            json!({"tenant": tenant("acme"), "type": "mail", "payload": {}, "queue": "fast", "priority": 5, "max_attempts": 9,
            "timeout": 9, "tags": ["flag"], "metadata": {"flag": 2}, "due": "flag"}),
            json!({"tenant": "0192f0c1-2345-7abc-8def-0123456789ab", "type": "other", "payload": {"a": [1.50]}, "queue": "q", "priority": -3,
            "max_attempts": 2, "timeout": 60, "tags": ["own"], "metadata": {"own": 1}, "due": "own"}),
            json!({"tenant": tenant("42"), "type": "mail", "payload": {}, "queue": "fast", "priority": 5, "max_attempts": 9,
            "timeout": 1.5, "tags": ["flag"], "metadata": {"flag": 2}, "due": "flag"}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_sent_again_sends_nothing_unless_it_has_another_name() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..10));
    let plain = |more: &[&str]| {
        let args = ["dispatch", "--file", &file].into_iter().chain(more.iter().copied());
        server.run(args)
    };
    assert!(plain(&[]).starts_with("10 lines: 10 dispatched, 0 refused ("));
    let again = plain(&[]);
    assert!(again.starts_with("nothing to do: all 10 lines were dealt with before"), "{again}");
    let copy = folder.write("copy.jsonl", numbers(0..10));
    assert_eq!(
        totals(&send(&server, &[&copy]))["before"]["dispatched"],
        10,
        "known by its content"
    );
    assert_eq!(payloads(&server).await.len(), 10);
    plain(&["--source", "once more"]);
    assert_eq!(payloads(&server).await.len(), 20);
    // a named source may grow
    folder.write("jobs.jsonl", numbers(0..12));
    assert!(
        plain(&["--source", "once more"])
            .starts_with("12 lines: 12 dispatched, 0 refused, of which 10 dispatched")
    );
    assert_eq!(payloads(&server).await.len(), 22);
}
