//! What the end of a command means for its job: exit codes and JSON on stdout become an outcome.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use fairclaim::{JobError, Outcome};
use serde_json::Value;
use serde_json::value::RawValue;

use super::group::{Ended, MAX_STDOUT_BYTES, SIGKILL, SIGTERM};

/// `EX_DATAERR` of sysexits.h: the job itself is wrong, no later attempt will do better.
const FAIL: i32 = 65;
/// `EX_TEMPFAIL`: try again later.
const RETRY: i32 = 75;
/// Snooze: a number that is free in sysexits.h and in shells.
const SNOOZE: i32 = 99;
/// How long a snooze lasts that does not say so.
const SNOOZE_DEFAULT: Duration = Duration::from_secs(60);

/// The exit codes, for `work --help`.
pub(crate) const EXIT_CODES: &str = "\
A command given to --exec answers with its exit code:
   0  completed; stdout, if any, is the result: JSON, whose numbers keep every digit, else kept as a
      string; at most 1 MiB
  65  failed for good, no retry (EX_DATAERR)
  75  retry (EX_TEMPFAIL); a number on stdout is the delay in seconds, else the usual backoff
  99  snooze: run it again later, no attempt used up; a number on stdout is the delay in seconds,
      at least 0.1, else 60
  any other code, or death by a signal: retry with the usual backoff; 126 and 127 (a program that may
      not be executed, or is not there) are also told loudly in the log
  stopped by us (cancel, shutdown, a lease that is about to end) and dead of that, or exit 143:
      the job is given back, no attempt used up; so is one that a shutdown stopped and that asks
      for a retry; any other answer counts
  a shell that cannot be started (open files, processes, memory): the job is given back, no attempt
      used up, and the worker claims fewer for a while

The payload comes on stdin. FAIRCLAIM_JOB_ID, FAIRCLAIM_TENANT_ID, FAIRCLAIM_ATTEMPT,
FAIRCLAIM_TYPE and FAIRCLAIM_QUEUE say whom the command works for. The end of its stderr is kept
with a failed attempt, and its last lines stand in the log (--show-output none: they do not). Its process group ends with the attempt: what it leaves in the background is
killed when it exits; on time-out, cancel or shutdown the group gets SIGTERM, and SIGKILL after 5 s;
when the worker itself is killed, SIGTERM, and SIGKILL after 2 s.

Examples:
  fairclaim work --drain --show-output all --exec greet=cat
  fairclaim work --drain --exec 'welcome_mail=cat >> sent.log'
  fairclaim work --drain --queue default:5 --exec report=true --exec greet=cat";

pub(super) fn outcome(ended: Ended) -> Result<Outcome, JobError> {
    if ended.stopped && died_of_our_signal(ended.status) {
        return Ok(Outcome::Release);
    }
    match ended.status.code() {
        Some(0) => completed(ended),
        Some(SNOOZE) => Ok(Outcome::Snooze(seconds(&ended.stdout).unwrap_or(SNOOZE_DEFAULT))),
        Some(FAIL) => Err(JobError::fail(failure(&exited(FAIL), &ended)).code("exit_65")),
        Some(code) => {
            let failure = failure(&exited(code), &ended);
            let error = match seconds(&ended.stdout) {
                Some(delay) if code == RETRY => JobError::retry_after(failure, delay),
                _ => JobError::retry(failure),
            };
            Err(error.code(format!("exit_{code}")))
        }
        None => {
            let signal = ended.status.signal().unwrap_or_default();
            Err(JobError::retry(failure(
                &format!("the command was killed by signal {signal}"),
                &ended,
            ))
            .code(format!("signal_{signal}")))
        }
    }
}

/// Whether the exit code says that it was told to stop: shells and others exit with 128 and the
/// signal's number then.
fn died_of_our_signal(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(SIGTERM | SIGKILL)) || status.code() == Some(128 + SIGTERM)
}

/// Tries a job again that may be fine, since something outside the command went wrong.
pub(super) fn broken(code: &str, message: String) -> JobError {
    JobError::retry(message).code(code)
}

fn exited(code: i32) -> String {
    format!("the command exited with {code}")
}

/// Completes a job, whose work is done: so a result that cannot be stored must not make it run again.
fn completed(ended: Ended) -> Result<Outcome, JobError> {
    let refuse = |what: &str| {
        let message = format!("the command succeeded, but its output {what}");
        Err(JobError::fail(message).code("result_invalid"))
    };
    if ended.stdout_cut {
        return refuse("is larger than 1 MiB");
    }
    let Ok(text) = String::from_utf8(ended.stdout) else { return refuse("is not UTF-8") };
    let text = text.trim();
    if text.is_empty() {
        return Ok(Outcome::Complete);
    }
    // it stays a text: parsed into numbers of 64 bits, it would lose digits
    if let Ok(result) = serde_json::from_str::<Box<RawValue>>(text) {
        if stored_bytes(result.get()) > MAX_STDOUT_BYTES {
            return refuse("is larger than 1 MiB as JSON");
        }
        return Ok(Outcome::CompleteWithRaw(result));
    }
    if text.contains('\0') {
        return refuse("holds a NUL character, which the database cannot store");
    }
    let result = Value::String(text.to_owned());
    if result.to_string().len() > MAX_STDOUT_BYTES {
        return refuse("is larger than 1 MiB as JSON");
    }
    Ok(Outcome::CompleteWith(result))
}

/// Counts what a JSON text takes at least as the database prints it: with a space after each
/// separator, and no others outside of strings.
fn stored_bytes(text: &str) -> usize {
    let (mut bytes, mut in_string, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        bytes += match byte {
            b',' | b':' if !in_string => 2,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => 0,
            _ => 1,
        };
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    bytes
}

fn seconds(stdout: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(stdout).ok()?.trim();
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// Makes the error of an attempt. The end of stderr is its cause, so it is kept as the trace.
#[derive(Debug)]
struct Failure {
    message: String,
    stderr: Option<Stderr>,
}

#[derive(Debug)]
struct Stderr(String);

fn failure(message: &str, ended: &Ended) -> Failure {
    let stderr = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Failure { message: message.to_owned(), stderr: (!stderr.is_empty()).then_some(Stderr(stderr)) }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.stderr.as_ref().map(|stderr| stderr as _)
    }
}

impl std::error::Error for Stderr {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ended(code: i32, stdout: &str) -> Ended {
        Ended {
            status: ExitStatus::from_raw(code << 8),
            stdout: stdout.as_bytes().to_vec(),
            stdout_cut: false,
            stderr: b"first\nlast\n".to_vec(),
            stopped: false,
        }
    }

    fn error(code: i32, stdout: &str) -> JobError {
        outcome(ended(code, stdout)).unwrap_err()
    }

    #[test]
    fn success_keeps_the_output_as_the_result() {
        assert_eq!(outcome(ended(0, "")).unwrap(), Outcome::Complete);
        assert_eq!(outcome(ended(0, " \n")).unwrap(), Outcome::Complete);
        let sent = outcome(ended(0, "{\"sent\": 3}\n")).unwrap();
        assert_eq!(sent, Outcome::CompleteWithRaw(raw("{\"sent\": 3}")));
        assert_eq!(
            outcome(ended(0, "all done\n")).unwrap(),
            Outcome::CompleteWith(json!("all done"))
        );
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn every_digit_of_a_result_is_kept() {
        let numbers =
            "[123456789012345678901234567890, 0.1000000000000000055511151231257827, 1.10, 1e400]";
        let kept = outcome(ended(0, &format!("{numbers}\n"))).unwrap();
        assert_eq!(kept, Outcome::CompleteWithRaw(raw(numbers)));
    }

    #[test]
    fn the_size_of_a_result_is_that_of_the_stored_text() {
        assert_eq!(stored_bytes("[ 1,\n\t{\"a,:\\\" \":2} ]"), "[1, {\"a,:\\\" \": 2}]".len());
    }

    #[test]
    fn a_result_that_cannot_be_stored_fails_once() {
        use fairclaim::Next;
        assert_eq!(error(0, "nul \0 here").next(), Next::Fail);
        assert_eq!(error(0, &format!("[{}]", "1,".repeat(400_000) + "1")).next(), Next::Fail);
        let cut = Ended { stdout_cut: true, ..ended(0, "1") };
        assert_eq!(outcome(cut).unwrap_err().next(), Next::Fail);
    }

    #[test]
    fn exit_codes_say_what_happens_next() {
        use fairclaim::Next;
        assert_eq!(error(65, "").next(), Next::Fail);
        assert_eq!(error(75, "").next(), Next::Retry(None));
        assert_eq!(error(75, "90\n").next(), Next::Retry(Some(Duration::from_secs(90))));
        assert_eq!(error(1, "90\n").next(), Next::Retry(None));
        assert_eq!(error(127, "").next(), Next::Retry(None));
        assert_eq!(outcome(ended(99, "")).unwrap(), Outcome::Snooze(SNOOZE_DEFAULT));
        assert_eq!(
            outcome(ended(99, "1.5")).unwrap(),
            Outcome::Snooze(Duration::from_millis(1500))
        );
    }

    #[test]
    fn a_failure_keeps_the_end_of_stderr() {
        let json = error(3, "").to_json();
        assert_eq!(json["code"], "exit_3");
        assert_eq!(json["message"], "the command exited with 3");
        assert_eq!(json["trace"], "first\nlast");
    }

    #[test]
    fn a_command_that_we_stopped_uses_no_attempt_up_unless_it_answers() {
        use fairclaim::Next;
        let stopped = |status| {
            outcome(Ended { status: ExitStatus::from_raw(status), stopped: true, ..ended(0, "") })
        };
        for status in [SIGTERM, SIGKILL, 143 << 8] {
            assert_eq!(stopped(status).unwrap(), Outcome::Release, "{status}");
        }
        assert_eq!(stopped(0).unwrap(), Outcome::Complete);
        assert_eq!(stopped(65 << 8).unwrap_err().next(), Next::Fail);
        assert_eq!(stopped(1 << 8).unwrap_err().next(), Next::Retry(None));
        assert_eq!(stopped(11).unwrap_err().to_json()["code"], "signal_11");
    }

    #[test]
    fn death_by_a_signal_is_retried() {
        let killed = Ended { status: ExitStatus::from_raw(9), ..ended(0, "") };
        assert_eq!(outcome(killed).unwrap_err().to_json()["code"], "signal_9");
    }
}
