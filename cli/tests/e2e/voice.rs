//! What a worker of commands says: of attempts that failed, of what commands write, of programs
//! that are not there, and of its end.

use serde_json::Value;

use crate::support::{TestServer, start, stderr};

/// What `work --drain` with these flags says.
fn said(server: &TestServer, flags: &[&str]) -> String {
    let output =
        server.fairclaim(["work", "--drain"].iter().chain(flags).copied()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// The one line that holds these words.
fn line<'a>(said: &'a str, words: &str) -> &'a str {
    let mut lines = said.lines().filter(|line| line.contains(words));
    let line = lines.next().unwrap_or_else(|| panic!("no line with {words:?}:\n{said}"));
    assert!(lines.next().is_none(), "{words:?} stands there twice:\n{said}");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_is_told_with_the_end_of_its_stderr() {
    let server = TestServer::installed().await;
    let id = server.dispatch("dbg", 1).await[0];
    let exec = "dbg=echo first >&2; echo boom >&2; exit 3";
    let said = said(&server, &["--exec", exec]);
    let failed =
        line(&said, "attempt 1 of 2 failed: the command exited with 3; next try in about 15 s");
    for part in [" WARN ", &id.to_string(), "type=\"dbg\"", "exit_3", "boom"] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    line(&said, "1 job of type dbg in queue default will be due later");
    assert!(!said.contains("the queues are empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commands_write_is_shown_only_as_far_as_somebody_wants() {
    let server = TestServer::installed().await;
    let show = async |wanted: &'static str| {
        server.dispatch("fine", 1).await;
        server.dispatch("odd", 1).await;
        let exec =
            ["--exec", "fine=echo to out; echo to err >&2", "--exec", "odd=echo oops >&2; exit 65"];
        said(&server, &[&["--show-output", wanted], &exec[..]].concat())
    };
    let all = show("all").await;
    assert!(line(&all, "fine: to out").contains("stdout"), "{all}");
    assert!(line(&all, "fine: to err").contains("stderr"), "{all}");
    line(&all, "odd: oops");
    let errors = show("errors").await;
    assert!(!errors.contains("to out") && !errors.contains("to err"), "{errors}");
    line(&errors, "oops");
    let none = show("none").await;
    assert!(!none.contains("oops") && none.contains("the command exited with 65"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_told_loudly_and_once() {
    let server = TestServer::installed().await;
    server.dispatch("lost", 3).await;
    let said = said(&server, &["--exec", "lost=/no/such/program --now"]);
    let loud = line(
        &said,
        "a program was not found that the command of type lost calls: /no/such/program --now",
    );
    assert!(loud.contains("ERROR") && loud.contains("hint"), "{loud}");
    assert!(!loud.contains("attempt{"), "it is about the type and not about one job: {loud}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_for_programmers_only_and_json_has_numbers_in_fields() {
    let server = TestServer::installed().await;
    server.dispatch("fine", 2).await;
    let text = said(&server, &["--exec", "fine=true"]);
    let end = line(&text, "the worker has ended");
    assert!(end.contains("claimed=2 completed=2"), "{end}");
    assert!(!text.contains('{') && !text.contains("Report"), "{text}");
    server.dispatch("fine", 2).await;
    let json = said(&server, &["--log-format", "json", "--exec", "fine=true"]);
    let end: Value = serde_json::from_str(line(&json, "the worker has ended")).unwrap();
    assert_eq!(
        (&end["claimed"], &end["completed"], &end["failed"]),
        (&2.into(), &2.into(), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_shuts_down_says_what_it_waits_for_and_how_to_end_that() {
    let server = TestServer::installed().await;
    server.dispatch("slow", 1).await;
    // a signal before the command runs would find nothing to speak of
    let begun = std::env::temp_dir().join(format!("fc-begun-{}", uuid::Uuid::new_v4()));
    let exec = format!("slow=touch {}; sleep 3", begun.display());
    let worker = start(&mut server.fairclaim(["work", "--grace", "90s", "--exec", &exec]));
    while !begun.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    worker.signal("INT");
    let output = worker.end();
    std::fs::remove_file(&begun).unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    line(&said, "shutting down: waiting for 1 job, 90 s at most");
    line(&said, "a second Ctrl-C");
}
