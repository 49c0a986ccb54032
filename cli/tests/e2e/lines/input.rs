//! What a file may be like: line ends, encodings, sizes, and what is no file.

use std::{io::Write, process::Stdio};

use serde_json::json;

use super::{Folder, numbers, payloads, send, totals};
use crate::support::{TestServer, start, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn line_ends_marks_and_blank_lines_of_any_system_are_read() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let line = |n: u32| numbers(n..n + 1).trim_end().to_owned();
    let file = folder
        .write("bom.jsonl", format!("\u{feff}{}\r\n\r\n  \n{}\n{}", line(0), line(1), line(2)));
    let output = send(&server, &[&file]);
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = totals(&output);
    assert_eq!((&answer["lines"], &answer["dispatched"]), (&json!(5), &json!(3)));
    assert_eq!(payloads(&server).await, [0, 1, 2].map(|n| json!(n)));

    let empty = folder.write("empty.jsonl", "");
    let output = send(&server, &[&empty]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(totals(&output)["lines"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_not_text_and_one_of_100_mb_are_refused_as_they_are() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let mut text = numbers(0..1).into_bytes();
    text.extend_from_slice(b"{\"type\": \"\xff\"}\n");
    text.extend(std::iter::repeat_n(b'x', 100_000_000));
    text.extend_from_slice(b"\n");
    text.extend_from_slice(numbers(1..2).as_bytes());
    let (file, refused) = (folder.write("jobs.jsonl", &text), folder.path("refused.jsonl"));
    let output = send(&server, &[&file, "--refused", &refused]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("line 2: line: is not UTF-8 (JQ004)"), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("line 3: line: must be at most 8 MiB (JQ004)"),
        "{}",
        stderr(&output)
    );
    assert_eq!(payloads(&server).await, [json!(0), json!(1)]);
    let (begin, end) = (numbers(0..1).len(), text.len() - numbers(1..2).len());
    assert!(std::fs::read(refused).unwrap() == text[begin..end], "the lines are not as they were");
    assert_eq!(folder.names(), ["jobs.jsonl", "refused.jsonl", "refused.jsonl.reasons"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_lines_is_refused_with_a_hint() {
    let (server, folder) = (TestServer::installed().await, Folder::new());
    let file = folder.write("jobs.jsonl", numbers(0..1));
    let nowhere = folder.path("none/refused");
    let long = "s".repeat(256);
    for (args, says) in [
        (vec![folder.path("none")], "No such file"),
        (vec![folder.path("")], "directory"),
        (
            vec![file.clone(), "--refused".into(), file.clone()],
            "cannot be read and be the file of refused lines",
        ),
        (vec![file.clone(), "--refused".into(), nowhere], "cannot write"),
        (vec![file.clone(), "--source".into(), String::new()], "--source must be 1 to 255 bytes"),
        (vec![file.clone(), "--source".into(), long], "--source must be 1 to 255 bytes"),
        (vec!["-".into(), "--metadata".into(), "-".into()], "cannot both read stdin"),
        (vec![file.clone(), "--payload".into(), "{}".into()], "cannot be used with"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = send(&server, &args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says) && said.contains("\nhint: "), "{args:?}: {said}");
    }
    assert_eq!(payloads(&server).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stdin_is_dispatched_as_it_comes_and_with_a_name_goes_on_where_it_stood() {
    let server = TestServer::installed().await;
    let feed = |text: String, more: &[&str]| {
        let args = ["dispatch", "--json", "--file", "-"].iter().chain(more).copied();
        let mut child = server
            .fairclaim(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for _ in 0..2 {
        let output = feed(numbers(0..3), &[]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(payloads(&server).await.len(), 6, "without a name it is new each time");
    feed(numbers(0..3), &["--source", "pipe"]);
    let output = feed(numbers(0..5), &["--source", "pipe"]);
    assert_eq!(totals(&output)["before"]["dispatched"], 3);
    assert_eq!(payloads(&server).await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_does_not_wait_for_the_next_one() {
    let server = TestServer::installed().await;
    let mut command = server.fairclaim(["dispatch", "--file", "-"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let running = start(command.stdin(reader));
    drop(command);
    writer.write_all(numbers(0..1).as_bytes()).unwrap();
    server.until(fairclaim::Status::Pending, 1).await;
    writer.write_all(numbers(1..2).as_bytes()).unwrap();
    server.until(fairclaim::Status::Pending, 2).await;
    drop(writer);
    assert!(running.end().status.success());
}
