//! Text of tenants, workers and handlers on an operator's terminal: nothing in it is obeyed, and
//! nothing is lost in JSON.

use fairclaim::{Dispatch, Tenant};
use serde_json::{Value, json};

use super::{
    fails, output,
    support::{TestServer, fairclaim},
};

/// Clears a screen, colours, sets a title, turns writing around, and begins a sequence in the way
/// of eight bits.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{8}\u{7f}\u{9b}31m\u{85}\u{202e}\u{2066}\u{2028}x";

/// What a terminal obeys, or what turns the text beside it around. Lines end as usual.
#[track_caller]
fn obeys_nothing(what: &str, said: &[u8]) {
    let said = std::str::from_utf8(said).expect("UTF-8");
    let obeyed = said.chars().find(|&c| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(obeyed, None, "{what}: {said:?}");
}

#[test]
#[should_panic(expected = "a control")]
fn a_control_is_found() {
    obeys_nothing("a control", "one\n\u{9b}31m".as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_reaches_no_terminal_as_it_is_and_json_whole() {
    let server = TestServer::installed().await;
    let payload = json!({ HOSTILE: HOSTILE });
    let dispatch = Dispatch::raw(Tenant::named("acme").unwrap(), "echo", &payload).unwrap();
    let dispatch = dispatch.tag(HOSTILE).metadata(HOSTILE, HOSTILE).max_attempts(1);
    let kept = server.client.dispatch(dispatch.clone()).await.unwrap();
    let failed =
        Dispatch::raw(Tenant::named("acme").unwrap(), "spit", &payload).unwrap().max_attempts(1);
    let failed = server.client.dispatch(failed).await.unwrap();
    let worker_id = "w\u{202e}1\u{2066}";
    let mut work = server.fairclaim([
        "work",
        "--drain",
        "--worker-id",
        worker_id,
        "--exec",
        "echo=cat",
        "--exec",
        "spit=printf '\\033[2J\\302\\23331m' >&2; cat >&2; exit 1",
    ]);
    let worked = output(work.env("RUST_LOG", "trace"), "");
    assert!(worked.status.success());
    obeys_nothing("the log", &worked.stderr);

    let show = |id: uuid::Uuid, more: &[&str]| {
        let id = id.to_string();
        server.run(["jobs", "show", &id].into_iter().chain(more.iter().copied()))
    };
    for id in [kept, failed] {
        obeys_nothing("jobs show", show(id, &[]).as_bytes());
        let text = show(id, &["--json"]);
        obeys_nothing("jobs show --json", text.as_bytes());
        let job: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&job["payload"], &job["worker_id"]), (&payload, &json!(worker_id)));
        if id == kept {
            assert_eq!((&job["result"], &job["tags"]), (&payload, &json!([HOSTILE])));
            assert_eq!(job["metadata"], payload);
        } else {
            let trace = job["error"]["trace"].as_str().unwrap();
            assert!(trace.starts_with("\u{1b}[2J\u{9b}31m"), "it did reach the error: {trace:?}");
        }
    }
    let list = server.run(["jobs", "list"]);
    obeys_nothing("jobs list", list.as_bytes());
    assert!(list.contains("w\u{fffd}1\u{fffd}"), "{list}");
    obeys_nothing("jobs list --json", server.run(["jobs", "list", "--json"]).as_bytes());
}

#[test]
fn hostile_arguments_come_back_harmless() {
    for args in [
        &["\u{1b}[31m"] as &[&str],
        &["jobs", "show", HOSTILE],
        &["jobs", "list", "--status", HOSTILE],
        &["dispatch", "--tenant", "acme", "--type", "t", "--delay", HOSTILE],
        &["dispatch", "--tenant", "acme", "--type", "t", "--payload", "@/no/\u{1b}[31m/\u{9b}"],
        &["work", "--exec", "\u{1b}[31m\u{9b}=true"],
        &["bench", HOSTILE],
    ] {
        let mut command = fairclaim(args.iter().copied());
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?connect_timeout=2");
        let said = fails(&mut command, "", 2, "", "");
        obeys_nothing(&format!("{args:?}"), said.as_bytes());
    }
}
