use serde_json::json;

use super::*;

fn page(errors: &Value, width: usize) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), width };
    let mut told = Told { attempt: 0, at: SystemTime::UNIX_EPOCH };
    for error in errors.as_array().unwrap() {
        page.attempt(error, &mut told);
    }
    page.lines
}

#[test]
fn an_attempt_is_told_with_its_error_and_what_came_between() {
    let errors = json!([
        {"attempt": 1, "at": "1970-01-01T00:00:02+00:00", "worker_id": "w",
         "error": {"code": "exit_1", "message": "the command exited with 1", "trace": "oops\n\tdeep"}},
        {"attempt": 4, "at": "1970-01-01T00:10:02+00:00", "worker_id": "w", "error": {"code": "lost"}},
        {"attempt": 5, "at": "1970-01-01T00:10:02+00:00", "worker_id": null,
         "error": {"ended_as": "completed"}},
    ]);
    let expected = [
        "1970-01-01 00:00:02Z  attempt 1 failed: exit_1 (2 s later, on w)",
        "    the command exited with 1",
        "      oops",
        "          deep",
        "                      attempts 2 to 3 left no error: snoozed or given back",
        "1970-01-01 00:10:02Z  attempt 4 was lost (10 min later, on w)",
        "1970-01-01 00:10:02Z  attempt 5 completed (0 s later)",
        "                      it had ended as completed, and an operator ran it again",
    ];
    assert_eq!(page(&errors, 80), expected);
}

#[test]
fn texts_are_cut_in_both_directions_and_say_so() {
    let mut page = Page { lines: Vec::new(), width: 20 };
    page.block(4, "a line that is much too long\ntwo\nthree\nfour\n", 2);
    let expected = ["    a line that is …", "    two", "    … 2 more lines;…"];
    assert_eq!(page.lines, expected);
}
