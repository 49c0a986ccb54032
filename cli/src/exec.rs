//! Handlers as child processes: what `work --exec type='command'` runs.
//!
//! The command gets the payload on stdin and who it works for in its environment. It answers with
//! its exit code, and with JSON on stdout. It is the leader of a process group of its own, and the
//! whole group ends with the attempt: when the command exits, what it left running is killed; when
//! the attempt is over first (time-out, cancel, lost lease, shutdown), the group gets SIGTERM, and
//! SIGKILL a few seconds later.
//!
//! A supervisor task owns the child, not the handler's future: the worker may drop that future at
//! any moment, and the group must be ended all the same. [`Exec::finish`] waits for supervisors.
//! When the worker itself is killed, the [`watchdog`] ends the groups.

mod echo;
mod group;
mod verdict;
mod watchdog;

pub(crate) use echo::ShowOutput;
pub(crate) use group::ENDS_WITHIN;
pub(crate) use verdict::EXIT_CODES;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use fairclaim::{Attempt, JobError, Outcome};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Hinted;
use echo::{Source, Unrunnable};
use watchdog::Watchdog;

/// How long a shell may take that has nothing to do.
const SHELL_WITHIN: Duration = Duration::from_secs(30);

/// Runs commands and knows which are still running.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exec {
    groups: TaskTracker,
    kill: CancellationToken,
    watchdog: Watchdog,
    unrunnable: Unrunnable,
    show: ShowOutput,
}

impl Exec {
    /// Makes a runner of commands whose output the log shows as far as `show` wants it.
    pub(crate) fn showing(show: ShowOutput) -> Self {
        Self { show, ..Self::default() }
    }

    /// How many commands run.
    pub(crate) fn running(&self) -> usize {
        self.groups.len()
    }

    /// Looks whether there is a shell that works, before any job is claimed for it.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let refused = |why: String| {
            let hint = "commands run by `sh -c`: put a shell that works into PATH as sh, and look at the limits of this process (ulimit -a)";
            Hinted::usage(format!("sh cannot be used: {why}"), hint)
        };
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-c", "exit 7"]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(SHELL_WITHIN, shell.status()).await;
        let status = ended
            .map_err(|_| refused("it does not end".to_owned()))?
            .map_err(|error| refused(error.to_string()))?;
        if status.code() != Some(7) {
            return Err(refused(format!("told to exit with 7, it ended with {status}")).into());
        }
        Ok(self.watchdog.start().map_err(|error| refused(error.to_string()))?)
    }

    /// Runs one attempt of a job as `sh -c command`.
    pub(crate) async fn run(
        &self,
        command: Arc<str>,
        payload: String,
        attempt: &Attempt,
    ) -> Result<Outcome, JobError> {
        // that a shell cannot be started is not the job's fault
        let child = spawn(&command, attempt).map_err(|error| {
            JobError::short_of_means(format!("cannot start sh: {error}")).code("spawn")
        })?;
        let watched = child.id().map(|group| self.watchdog.watch(group));
        let stop = attempt.cancellation().child_token();
        // if the worker drops this future, the group ends too
        let dropped = stop.clone().drop_guard();
        let kill = self.kill.clone();
        let shown = (self.show == ShowOutput::All).then(|| Source::of(attempt));
        let supervisor = self.groups.spawn(async move {
            let ended = group::supervise(child, payload, shown, stop, kill).await;
            drop(watched);
            ended
        });
        let ended = supervisor.await;
        dropped.disarm();
        match ended {
            Ok(Ok(ended)) => {
                self.unrunnable.look(attempt.job_type(), &command, ended.status.code());
                verdict::outcome(ended)
            }
            Ok(Err(error)) => {
                Err(verdict::broken("wait", format!("lost sight of the command: {error}")))
            }
            Err(_) => {
                Err(verdict::broken("wait", "the supervisor of the command panicked".to_owned()))
            }
        }
    }

    /// Kills every group at once, without SIGTERM first.
    pub(crate) fn kill(&self) {
        self.kill.cancel();
    }

    /// Waits until every group has ended.
    pub(crate) async fn finish(&self) {
        self.groups.close();
        self.groups.wait().await;
    }
}

fn spawn(command: &str, attempt: &Attempt) -> std::io::Result<Box<dyn ChildWrapper>> {
    let mut wrap = CommandWrap::with_new("sh", |sh| {
        sh.arg("-c")
            .arg(command)
            .env("FAIRCLAIM_JOB_ID", attempt.id().to_string())
            .env("FAIRCLAIM_TENANT_ID", attempt.tenant_id().to_string())
            .env("FAIRCLAIM_ATTEMPT", attempt.number().to_string())
            .env("FAIRCLAIM_TYPE", attempt.job_type())
            .env("FAIRCLAIM_QUEUE", attempt.queue())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    });
    wrap.wrap(ProcessGroup::leader()).spawn()
}
