//! One process group from its start to its end.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::echo::{Lines, Source};

/// How long a group has between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// How long output may keep coming once the group is dead: only a process that left the group can
/// still hold the pipes, and such a process is not waited for.
const PIPE_GRACE: Duration = Duration::from_secs(1);
/// How long the dead of a group may take to be collected. Where no other process does that (as
/// process 1 of a container) they are ours, and one that cannot be killed must not hold its job's
/// place.
const REAP_GRACE: Duration = Duration::from_secs(1);
/// How long after it was told to stop a group is gone at the latest: the sum of all that, and
/// something for a busy machine.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(9);
/// How long the output of a command may be: results are JSON of at most 1 MiB.
pub(super) const MAX_STDOUT_BYTES: usize = 1024 * 1024;
/// How much of stderr is kept: its end, where the reason stands. Error texts are cut to 16 KiB.
pub(super) const MAX_STDERR_BYTES: usize = 12 * 1024;

pub(super) const SIGTERM: i32 = 15;
pub(super) const SIGKILL: i32 = 9;

/// What is left of a command that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// Whether stdout was longer than [`MAX_STDOUT_BYTES`], so that the rest is gone.
    pub(super) stdout_cut: bool,
    pub(super) stderr: Vec<u8>,
    /// Whether the attempt was over before the command was.
    pub(super) stopped: bool,
}

/// Feeds and watches a command until its whole group is gone.
pub(super) async fn supervise(
    mut child: Box<dyn ChildWrapper>,
    payload: String,
    shown: Option<Source>,
    stop: CancellationToken,
    kill: CancellationToken,
) -> io::Result<Ended> {
    let stdin = child.stdin().take();
    let stdout = child.stdout().take();
    let stderr = child.stderr().take();
    let mut out = Head::new(Lines::new(shown.clone(), "stdout"));
    let mut err = Tail::new(Lines::new(shown, "stderr"));
    let (status, stopped);
    {
        let pipes =
            async { tokio::join!(feed(stdin, payload), out.read(stdout), err.read(stderr)) };
        tokio::pin!(pipes);
        let mut closed = false;
        let ended = loop {
            tokio::select! {
                ended = leader(&mut *child) => break Some(ended),
                () = stop.cancelled() => break None,
                () = kill.cancelled() => break None,
                _ = &mut pipes, if !closed => closed = true,
            }
        };
        stopped = ended.is_none();
        if stopped {
            terminate(&mut *child, &mut pipes, &mut closed, &kill).await;
        }
        // what the command left behind; harmless when nothing is left
        let _ = child.start_kill();
        status = match ended {
            Some(ended) => ended,
            None => leader(&mut *child).await,
        };
        if !closed {
            let _ = timeout(PIPE_GRACE, pipes).await;
        }
        let _ = timeout(REAP_GRACE, child.wait()).await;
    }
    out.lines.end();
    err.lines.end();
    Ok(Ended {
        status: status?,
        stdout: out.bytes,
        stdout_cut: out.cut,
        stderr: err.bytes,
        stopped,
    })
}

/// Waits for the command itself. The wrapper's own `wait` goes on until the whole group is gone,
/// and what the command left in the background is only killed once it is over.
async fn leader(child: &mut dyn ChildWrapper) -> io::Result<ExitStatus> {
    child.inner_mut().wait().await
}

/// Sends SIGTERM and gives time to clean up: until the command has exited and no process of its
/// group writes any more. Cut short by `kill`.
async fn terminate<P: Future>(
    child: &mut dyn ChildWrapper,
    pipes: &mut std::pin::Pin<&mut P>,
    closed: &mut bool,
    kill: &CancellationToken,
) {
    let _ = child.signal(SIGTERM);
    let ended = async {
        let _ = leader(child).await;
        if !*closed {
            pipes.as_mut().await;
            *closed = true;
        }
    };
    tokio::select! {
        _ = timeout(TERM_GRACE, ended) => {}
        () = kill.cancelled() => {}
    }
}

/// Writes the payload. A command need not read it, so a closed pipe is not an error.
async fn feed(stdin: Option<ChildStdin>, payload: String) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(payload.as_bytes()).await;
        let _ = stdin.shutdown().await;
    }
}

/// Keeps the first bytes of a stream. The rest is read and thrown away, so that the writer never
/// blocks.
#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    cut: bool,
    lines: Lines,
}

impl Head {
    fn new(lines: Lines) -> Self {
        Self { bytes: Vec::new(), cut: false, lines }
    }

    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = vec![0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            self.lines.take(&chunk[..n]);
            let room = MAX_STDOUT_BYTES - self.bytes.len();
            self.bytes.extend_from_slice(&chunk[..n.min(room)]);
            self.cut |= n > room;
        }
    }
}

/// Keeps the last bytes of a stream.
#[derive(Debug)]
struct Tail {
    bytes: Vec<u8>,
    lines: Lines,
}

impl Tail {
    fn new(lines: Lines) -> Self {
        Self { bytes: Vec::new(), lines }
    }

    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = vec![0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            self.lines.take(&chunk[..n]);
            self.bytes.extend_from_slice(&chunk[..n]);
            let surplus = self.bytes.len().saturating_sub(MAX_STDERR_BYTES);
            self.bytes.drain(..surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_wrap::tokio::{CommandWrap, ProcessGroup};
    use std::process::Stdio;
    use std::time::Instant;

    fn sh(script: &str) -> Box<dyn ChildWrapper> {
        let mut wrap = CommandWrap::with_new("sh", |sh| {
            sh.arg("-c")
                .arg(script)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        wrap.wrap(ProcessGroup::leader()).spawn().unwrap()
    }

    async fn run(script: &str, payload: &str) -> Ended {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        supervise(sh(script), payload.to_owned(), None, stop, kill).await.unwrap()
    }

    #[tokio::test]
    async fn the_payload_arrives_and_the_output_comes_back() {
        let ended = run("cat; echo oops >&2; exit 3", "{\"a\": 1}").await;
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.stdout, b"{\"a\": 1}");
        assert_eq!(ended.stderr, b"oops\n");
        assert!(!ended.stopped);
    }

    #[tokio::test]
    async fn a_command_that_reads_nothing_is_fine_with_a_large_payload() {
        let ended = run("exit 0", &"x".repeat(1 << 20)).await;
        assert!(ended.status.success());
    }

    #[tokio::test]
    async fn output_is_bounded_and_never_blocks_the_command() {
        let ended =
            run("yes | head -c 3000000; yes no | head -c 100000 >&2; echo end >&2", "").await;
        assert!(ended.status.success());
        assert!(ended.stdout_cut);
        assert_eq!(ended.stdout.len(), MAX_STDOUT_BYTES);
        assert_eq!(ended.stderr.len(), MAX_STDERR_BYTES);
        assert!(ended.stderr.ends_with(b"end\n"));
    }

    #[tokio::test]
    async fn what_a_command_leaves_in_the_background_ends_with_it() {
        let started = Instant::now();
        let ended = run("sleep 60 & echo $!", "").await;
        assert!(started.elapsed() < Duration::from_secs(20), "waited for the background");
        let pid: u32 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
        assert!(gone(pid).await, "{pid} still runs");
    }

    /// Makes this process inherit orphans, as process 1 of a container does.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_background_process_that_falls_to_us_does_not_hold_its_job() {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let started = Instant::now();
        let ended = run("(trap '' TERM; sleep 60; sleep 60) & echo $!; exit 7", "").await;
        assert_eq!(ended.status.code(), Some(7));
        assert!(started.elapsed() < Duration::from_secs(20), "waited for the background");
        let pid = String::from_utf8(ended.stdout).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        assert!(!std::path::Path::new(&stat).exists(), "it was not collected");
    }

    #[test]
    fn a_group_is_gone_within_the_time_that_the_worker_gives_it() {
        assert!(TERM_GRACE + PIPE_GRACE + REAP_GRACE < ENDS_WITHIN);
    }

    #[tokio::test]
    async fn a_stopped_group_may_clean_up() {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let child = sh("trap 'echo cleaned; exit 9' TERM; echo up; while :; do sleep 0.05; done");
        let task = tokio::spawn(supervise(child, String::new(), None, stop.clone(), kill));
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
        let ended = task.await.unwrap().unwrap();
        assert!(ended.stopped);
        assert_eq!(ended.stdout, b"up\ncleaned\n");
    }

    #[tokio::test]
    async fn a_group_that_ignores_sigterm_is_killed_whole() {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let child = sh("trap '' TERM; sleep 60 & echo $!; sleep 60");
        let task = tokio::spawn(supervise(child, String::new(), None, stop.clone(), kill.clone()));
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        kill.cancel();
        let ended = task.await.unwrap().unwrap();
        let pid: u32 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
        assert!(gone(pid).await, "{pid} still runs");
    }

    /// A killed orphan is a zombie until init reaps it, and some containers have no init.
    async fn gone(pid: u32) -> bool {
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            match stat {
                Ok(stat) if !stat.contains(") Z ") => {}
                _ => return true,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }
}
