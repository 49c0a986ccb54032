//! The same source once more: with other flags, grown, changed, under a name that was used, with a
//! report that is in use.

use std::{io::Write, process::Output, process::Stdio};

use serde_json::{Value, json};

use super::{Folder, numbers, payloads, send, totals};
use crate::support::{PATIENCE, TestServer, start, stderr};

/// A run that is refused before it sends anything.
fn refuses(output: &Output, says: &str, hint: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(says), "{said}");
    let hinted = said.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    assert!(hinted.contains(hint), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_sent_with_other_flags_is_not_passed_over_in_silence() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", "{\"payload\": 1}\n{\"payload\": 2}\n");
    let of = |tenant| ["--type", "mail", "--tenant", tenant];
    let with = |more: &[&str]| {
        let args: Vec<&str> = [file.as_str()].iter().chain(more).copied().collect();
        send(&server, &args)
    };
    assert!(with(&of("acme")).status.success());
    assert!(with(&of("acme")).status.success(), "with the same flags there is nothing to do");
    for other in [
        vec!["--type", "mail", "--tenant", "bolt"],
        vec!["--type", "other", "--tenant", "acme"],
        vec!["--type", "mail", "--tenant", "acme", "--queue", "q"],
        vec!["--type", "mail", "--tenant", "acme", "--priority", "1"],
        vec!["--type", "mail", "--tenant", "acme", "--delay", "1s"],
        vec!["--type", "mail", "--tenant", "acme", "--run-at", "2027-01-01T00:00:00Z"],
        vec!["--type", "mail", "--tenant", "acme", "--max-attempts", "2"],
        vec!["--type", "mail", "--tenant", "acme", "--timeout", "1s"],
        vec!["--type", "mail", "--tenant", "acme", "--tag", "t"],
        vec!["--type", "mail", "--tenant", "acme", "--metadata", "{\"a\":1}"],
    ] {
        let says = "this file was sent with other flags up to line 2";
        refuses(&with(&other), says, "--source NAME sends it again");
    }
    assert_eq!(payloads(&server).await.len(), 2);
    let named: Vec<&str> = of("bolt").into_iter().chain(["--source", "for bolt"]).collect();
    assert!(with(&named).status.success());
    assert_eq!(payloads(&server).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_nothing_went_in_for_want_of_a_flag_is_sent_with_it() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let lines = "{\"tenant\":\"a\",\"payload\":1}\n{\"tenant\":\"a\",\"payload\":2}\n{\"bad\":1}\n";
    let (file, refused) = (folder.write("jobs.jsonl", lines), folder.path("refused.jsonl"));
    let output = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(folder.read("refused.jsonl"), lines);
    for _ in 0..2 {
        let output = send(&server, &[&file, "--type", "mail", "--refused", &refused]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let answer = totals(&output);
        assert_eq!((&answer["dispatched"], &answer["refused"]), (&json!(2), &json!(1)));
        assert_eq!(payloads(&server).await, [json!(1), json!(2)]);
        assert_eq!(folder.read("refused.jsonl"), "{\"bad\":1}\n");
        assert_eq!(folder.read("refused.jsonl.reasons").lines().count(), 1);
    }
    let other = send(&server, &[&file, "--type", "other"]);
    refuses(&other, "with other flags up to line 3", "--source NAME");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_file_that_grows_in_the_middle_of_a_line_loses_none() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let whole = numbers(0..6);
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    // in the middle of the third line, before its end, at it, and behind blanks
    let mut expected = 0;
    for (length, dealt_with, unfinished) in [
        (ends[1] + 9, 2, json!(3)),
        (ends[2] - 2, 2, json!(3)),
        (ends[2] - 1, 3, Value::Null),
        (ends[2], 3, Value::Null),
        (ends[4] + 1, 5, json!(6)),
        (ends[5], 6, Value::Null),
    ] {
        let file = folder.write("log.jsonl", &whole[..length]);
        let output = send(&server, &[&file, "--source", "log"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let answer = totals(&output);
        assert_eq!(
            (&answer["lines"], &answer["refused"], &answer["unfinished"]),
            (&json!(dealt_with), &json!(0), &unfinished)
        );
        let says = format!("line {unfinished} has no end yet and is left for the next run");
        assert_eq!(stderr(&output).contains(&says), !unfinished.is_null(), "{}", stderr(&output));
        assert!(dealt_with >= expected);
        expected = dealt_with;
    }
    assert_eq!(payloads(&server).await, (0..6).map(|n| json!(n)).collect::<Vec<_>>());
    // one that is known by its content does not grow
    let file = folder.write("torn.jsonl", &whole[..ends[1] + 9]);
    let output = send(&server, &[&file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("line 3: line: ends too early"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_input_under_a_name_that_was_used_is_refused() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..3));
    assert!(send(&server, &[&file, "--source", "daily"]).status.success());
    for (content, says) in [
        (numbers(0..2), "the source daily stands at line 3, and this input has 2"),
        (String::new(), "the source daily stands at line 3, and this input has 0"),
        (numbers(7..10), "the source daily stands at line 3, and the lines up to there are not"),
        (numbers(7..12), "the source daily stands at line 3, and the lines up to there are not"),
        (format!("\n{}", numbers(0..3)), "the source daily stands at line 3, and the lines up to"),
    ] {
        folder.write("jobs.jsonl", content);
        refuses(&send(&server, &[&file, "--source", "daily"]), says, "another --source NAME");
    }
    let mut child = server
        .fairclaim(["dispatch", "--file", "-", "--source", "daily"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(numbers(7..12).as_bytes()).unwrap();
    refuses(&child.wait_with_output().unwrap(), "are not those of this input", "--source NAME");
    assert_eq!(payloads(&server).await.len(), 3);
    folder.write("jobs.jsonl", numbers(0..4).replace('\n', "\r\n"));
    assert!(send(&server, &[&file, "--source", "daily"]).status.success(), "it may have grown");
    assert_eq!(payloads(&server).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_an_interrupted_source_left_open_is_not_written_by_another_one() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let refused = folder.path("refused.jsonl");
    let bad = |n: u32| format!("{{\"tenant\":\"a\",\"payload\":{n}}}\n");
    let one = folder.write("one.jsonl", bad(1) + &numbers(0..1));
    let two = folder.write("two.jsonl", bad(2));
    let (mut other, connection) =
        tokio_postgres::connect(&server.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);

    // its batch waits for a lock, and is rolled back before it is killed
    let holder = other.transaction().await.unwrap();
    let lock = "set local role fairclaim_owner; lock table fairclaim_internal.job in access exclusive mode";
    holder.batch_execute(lock).await.unwrap();
    let sending = ["dispatch", "--file", &one, "--refused", &refused, "--source", "one"];
    let running = start(&mut server.fairclaim(sending));
    let count = async |what: &str| {
        let sql = format!(
            "select count({what}) from pg_stat_activity a where a.wait_event_type = 'Lock' and a.usename = current_user"
        );
        let connection = server.client.pool().get().await.unwrap();
        connection.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while count("*").await == 0 {
        assert!(std::time::Instant::now() < deadline, "it does not wait");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(folder.read("refused.jsonl"), bad(1), "it reports first");
    running.signal("STOP"); // it must not try again
    assert_eq!(count("pg_terminate_backend(a.pid)").await, 1);
    running.signal("KILL");
    running.end();
    holder.rollback().await.unwrap();

    let send_two = || send(&server, &[&two, "--refused", &refused, "--source", "two"]);
    refuses(&send_two(), "interrupted, of the source one", "run that one again");
    for _ in 0..2 {
        let output = send(&server, &[&one, "--refused", &refused, "--source", "one"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(folder.read("refused.jsonl"), bad(1), "reported once");
    }
    for _ in 0..2 {
        assert_eq!(send_two().status.code(), Some(1));
        assert_eq!(folder.read("refused.jsonl"), bad(1) + &bad(2));
        assert_eq!(folder.read("refused.jsonl.reasons").lines().count(), 2);
    }
    assert_eq!(payloads(&server).await, [json!(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_names_a_report_only_if_it_has_something_of_the_source() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..1) + "{\"bad\": 1}\n");
    let output = send(&server, &[&file]);
    assert_eq!(output.status.code(), Some(1));
    let hint = "put these lines alone, mended, into a file of their own";
    assert!(stderr(&output).contains(hint), "{}", stderr(&output));
    assert!(stderr(&output).contains("a changed file is a new source"), "{}", stderr(&output));
    let refused = folder.path("refused.jsonl");
    let output = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("an earlier run refused them") && said.contains(hint), "{said}");
    assert!(!said.contains("says why"), "{said}");
    assert_eq!(folder.names(), ["jobs.jsonl"]);
}
