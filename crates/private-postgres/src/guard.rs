//! The guard: a small shell beside the server that ends it when the process that started it is gone.
//!
//! That process may be killed with SIGKILL and then can do nothing. Its end of a pipe is closed by the system all the
//! same, and the guard reads the other end.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Output, Stdio},
};

use crate::{
    account::Account,
    error::{Error, Result},
};

/// Reads which process to end (`watch <pid>`, or no number when there is none at the moment) until it is sent home
/// (`leave`) or its pipe ends. Then: a fast stop, an immediate one ten seconds later, and the folders that are to go.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pid=
while read -r word value; do
  case "$word" in
    watch) pid=$value ;;
    leave) exit 0 ;;
  esac
done
if [ -n "$pid" ] && kill -INT "$pid" 2>/dev/null; then
  n=0
  while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
  kill -QUIT "$pid" 2>/dev/null && sleep 1
fi
[ "$#" -eq 0 ] || rm -rf -- "$@"
"#;

/// A running guard.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    /// Taken when the guard is sent home.
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Posts a guard that will remove these folders when it has to act.
    pub(crate) fn post<'a>(
        account: Account,
        folders: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self> {
        let mut child = account
            .command(Path::new("sh"), Path::new("/"))
            .args(["-c", SCRIPT, "fairclaim-guard"])
            .args(folders)
            .process_group(0) // Ctrl-C is for the one who is guarded
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::io("cannot start `sh`", &error))?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Runs a command to its end, which comes at the latest when that of this process does.
    pub(crate) fn output(&mut self, command: &mut Command) -> std::io::Result<Output> {
        let child = self.spawn(command)?;
        let output = child.wait_with_output();
        self.watch(None);
        output
    }

    fn spawn(&mut self, command: &mut Command) -> std::io::Result<Child> {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        self.watch(Some(child.id()));
        Ok(child)
    }

    /// Says which process to end from now on.
    pub(crate) fn watch(&mut self, pid: Option<u32>) {
        let pid = pid.map(|pid| pid.to_string()).unwrap_or_default();
        self.tell(&format!("watch {pid}\n"));
    }

    /// Sends the guard home; whatever it watched is left alone.
    pub(crate) fn dismiss(&mut self) {
        self.tell("leave\n");
        self.pipe = None;
        let _ = self.child.wait();
    }

    /// A guard that is no longer there cannot be told anything, and then nothing depends on it.
    fn tell(&mut self, line: &str) {
        if let Some(pipe) = &mut self.pipe {
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn a_guard_whose_master_is_gone_ends_the_process_and_removes_the_folder() {
        let folder = std::env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        let mut watched = sleeper();
        let mut guard = Guard::post(Account::Own, [folder.as_path()]).unwrap();
        guard.watch(Some(watched.id()));
        guard.pipe = None; // as the system does for a master that was killed
        assert!(!watched.wait().unwrap().success());
        guard.child.wait().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_command_whose_master_is_gone_ends_too() {
        let mut guard = Guard::post(Account::Own, []).unwrap();
        let mut child = guard.spawn(Command::new("sleep").arg("60")).unwrap();
        guard.pipe = None; // as the system does for a master that was killed
        assert!(!child.wait().unwrap().success());
        guard.child.wait().unwrap();
    }

    #[test]
    fn a_guard_that_was_sent_home_ends_nothing() {
        let mut watched = sleeper();
        let mut guard = Guard::post(Account::Own, []).unwrap();
        guard.watch(Some(watched.id()));
        guard.dismiss();
        assert!(watched.try_wait().unwrap().is_none());
        watched.kill().unwrap();
        watched.wait().unwrap();
    }
}
