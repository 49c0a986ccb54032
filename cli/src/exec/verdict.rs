//! What the end of a command means for its job: exit codes and JSON on stdout become an outcome.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use fairclaim::{JobError, Outcome};
use serde_json::Value;

use super::group::{Ended, MAX_STDOUT_BYTES};

/// `EX_DATAERR` of sysexits.h: the job itself is wrong, no later attempt will do better.
const FAIL: i32 = 65;
/// `EX_TEMPFAIL`: try again later.
const RETRY: i32 = 75;
/// Free in sysexits.h and in shells.
const SNOOZE: i32 = 99;
/// A snooze that does not say for how long.
const SNOOZE_DEFAULT: Duration = Duration::from_secs(60);

/// The exit codes, for `work --help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes of a command given to --exec:
   0   the job is completed; stdout, if any, is its result (JSON, else kept as a JSON string; at most 1 MiB)
  65   the job has failed for good, no retry (EX_DATAERR)
  75   retry; a number on stdout is the delay in seconds, else the usual backoff (EX_TEMPFAIL)
  99   snooze: run again later without using up an attempt; a number on stdout is the delay in seconds, else 60
  any other code, or death by a signal: retry with the usual backoff
The end of stderr is kept with a failed attempt. The payload comes on stdin; FAIRCLAIM_JOB_ID, FAIRCLAIM_TENANT_ID,
FAIRCLAIM_ATTEMPT, FAIRCLAIM_TYPE and FAIRCLAIM_QUEUE are set. The command's whole process group ends with the attempt:
SIGTERM, then SIGKILL after 5 s.";

pub(super) fn outcome(ended: &Ended) -> Result<Outcome, JobError> {
    if ended.stopped {
        return Err(error(ended, "stopped", "the attempt was over before the command ended"));
    }
    match ended.status.code() {
        Some(0) => completed(ended),
        Some(SNOOZE) => Ok(Outcome::Snooze(seconds(ended).unwrap_or(SNOOZE_DEFAULT))),
        Some(FAIL) => Err(error(ended, "exit_65", "the command exited with 65: failed for good").into_final()),
        Some(RETRY) if seconds(ended).is_some() => todo_retry_after(),
        Some(code) => Err(error(ended, "exit", "the command exited with")),
        None => Err(error(ended, "signal", "killed")),
    }
}
