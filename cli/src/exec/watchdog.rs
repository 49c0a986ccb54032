//! Commands end with their worker, even when it is killed: a shell of its own watches for that.
//!
//! From a pipe whose other end only the worker holds, it reads which process groups run. When the
//! pipe closes and some still do, the worker is dead: they get SIGTERM, and SIGKILL two seconds
//! later. One shell serves all commands of a worker; should it die, the next command starts another
//! one. A command whose worker dies in the very moment between its start and its line is missed.

use std::collections::HashSet;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shell's script: `+ 12` begins to watch group 12, `- 12` ends it. It outlives the signals
/// that a supervisor sends to all processes.
const SCRIPT: &str = "\
trap '' HUP INT TERM
groups=
while read -r sign group; do
  case $sign in
    +) groups=\"$groups $group\" ;;
    -) kept=
       for one in $groups; do [ \"$one\" = \"$group\" ] || kept=\"$kept $one\"; done
       groups=$kept ;;
  esac
done
[ -n \"$groups\" ] || exit 0
for one in $groups; do kill -s TERM -- \"-$one\"; done
sleep 2
for one in $groups; do kill -s KILL -- \"-$one\"; done";

#[derive(Debug, Clone, Default)]
pub(super) struct Watchdog {
    watch: Arc<Mutex<Watch>>,
}

#[derive(Debug, Default)]
struct Watch {
    shell: Option<Child>,
    groups: HashSet<u32>,
}

impl Watchdog {
    /// Starts the shell, unless it runs.
    pub(super) fn start(&self) -> std::io::Result<()> {
        self.lock().tell(format_args!(""))
    }

    /// Watches a group until the guard is dropped. Without a shell it is not watched, and the log
    /// says so.
    pub(super) fn watch(&self, group: u32) -> impl Drop + Send + use<> {
        let mut watch = self.lock();
        if let Err(error) = watch.tell(format_args!("+ {group}\n")) {
            tracing::warn!(%error, "should this worker be killed, a command will outlive it: no shell could be started to watch");
        }
        watch.groups.insert(group);
        Watched { watchdog: self.clone(), group }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Writes one line for the shell, and starts another shell if it is gone.
    fn tell(&mut self, line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
        if let Some(shell) = &mut self.shell {
            if matches!(shell.try_wait(), Ok(None))
                && let Some(pipe) = shell.stdin.as_mut()
                && pipe.write_all(line.to_string().as_bytes()).is_ok()
            {
                return Ok(());
            }
            self.shell = None;
        }
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(pipe) = &mut shell.stdin {
            for group in &self.groups {
                pipe.write_all(format!("+ {group}\n").as_bytes())?;
            }
            pipe.write_all(line.to_string().as_bytes())?;
        }
        self.shell = Some(shell);
        Ok(())
    }
}

struct Watched {
    watchdog: Watchdog,
    group: u32,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut watch = self.watchdog.lock();
        watch.groups.remove(&self.group);
        // should that fail, the next command's line starts a shell that does not know this group
        let _ = watch.tell(format_args!("- {}\n", self.group));
    }
}

/// Closes the pipe, so that the shell ends by itself, and collects it, so that it does not stay
/// behind as a zombie.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            if self.groups.is_empty() {
                let _ = shell.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").process_group(0).spawn().unwrap()
    }

    /// Whether it ends within the time that the shell takes, and something for a busy machine.
    fn ends(child: &mut Child) -> bool {
        for _ in 0..500 {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    #[test]
    fn when_the_pipe_closes_what_is_watched_ends_and_nothing_else() {
        let watchdog = Watchdog::default();
        let (mut watched, mut done) = (sleeper(), sleeper());
        let guard = watchdog.watch(watched.id());
        drop(watchdog.watch(done.id()));
        // the same happens when the worker is killed
        drop(watchdog.lock().shell.as_mut().unwrap().stdin.take());
        assert!(ends(&mut watched), "it outlived the pipe");
        assert!(done.try_wait().unwrap().is_none(), "it was not watched any more");
        done.kill().unwrap();
        done.wait().unwrap();
        drop(guard);
    }

    #[test]
    fn a_shell_that_died_is_replaced_and_told_what_runs() {
        let watchdog = Watchdog::default();
        let (mut first, mut second) = (sleeper(), sleeper());
        let one = watchdog.watch(first.id());
        {
            let mut watch = watchdog.lock();
            let shell = watch.shell.as_mut().unwrap();
            shell.kill().unwrap();
            shell.wait().unwrap();
        }
        let two = watchdog.watch(second.id());
        drop(watchdog.lock().shell.as_mut().unwrap().stdin.take());
        assert!(ends(&mut first) && ends(&mut second));
        drop((one, two));
    }
}
