//! One server process on one data folder: made, started, stopped, killed. Everything here blocks.

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    account::Account,
    binaries::Binaries,
    error::{Error, Result},
    guard::Guard,
    place::Place,
};

/// The name of the role that initdb makes. It logs in over the socket only, and the launcher alone uses it.
pub(crate) const SUPERUSER: &str = "fairclaim_superuser";

/// How long a start may take: after a crash the server replays its log first.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a fast stop may take before it is made an immediate one.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often to look whether something has happened that nobody tells us.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How much of the log an error quotes.
const LAST_LINES: usize = 6;

/// Who may connect: everybody who can reach the socket, and over TCP from this machine, which others use too, everybody but
/// the superuser with a password.
const ACCESS: &str = "local all all trust\nhost all fairclaim_superuser all reject\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Starts the server with its output in the log; the account opens it.
const LOGGED: &str = r#"log=$1; shift; exec "$@" >> "$log" 2>&1"#;

/// A data folder with or without a process that serves it.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    pub(crate) binaries: Binaries,
    pub(crate) place: Place,
    pub(crate) account: Account,
    pub(crate) settings: Vec<(String, String)>,
    /// Whether it listens on the loopback too.
    pub(crate) tcp: bool,
    pub(crate) port: u16,
    child: Option<Child>,
    guard: Guard,
    /// Left running on purpose.
    released: bool,
}

impl ServerProcess {
    /// Starts a server in the place, whose data folder is made if there is none.
    pub(crate) fn start(
        binaries: Binaries,
        place: Place,
        account: Account,
        settings: Vec<(String, String)>,
        tcp: bool,
    ) -> Result<Self> {
        let guard = Guard::post(account, place.passing())?;
        let mut process = Self {
            binaries,
            place,
            account,
            settings,
            tcp,
            port: 5432,
            child: None,
            guard,
            released: false,
        };
        if !process.place.data().join("PG_VERSION").exists() {
            process.initdb()?;
        }
        process.launch()?;
        Ok(process)
    }

    /// The number of the server's first process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts the server again, and stops it first if it runs.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.launch()
    }

    /// A fast stop: open transactions are rolled back, and the data folder is left clean.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        signal("INT", child.id());
        let stopped = wait_until(STOP_LIMIT, || exited(&mut child)).or_else(|| {
            signal("QUIT", child.id());
            wait_until(STOP_LIMIT, || exited(&mut child))
        });
        self.guard.watch(None);
        if stopped.is_some() {
            return Ok(());
        }
        let killed = child.kill().and_then(|()| child.wait());
        killed.map(drop).map_err(|error| Error::io("cannot stop the server", &error))
    }

    /// Kills the first process with SIGKILL, which is a crash; the others end when they notice.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let killed = child.kill().and_then(|()| child.wait());
        self.guard.watch(None);
        killed.map(drop).map_err(|error| Error::io("cannot kill the server", &error))
    }

    /// Leaves the server running when this value, or this program, ends.
    pub(crate) fn release(&mut self) {
        self.released = true;
        self.guard.dismiss();
    }

    fn initdb(&mut self) -> Result<()> {
        let data = self.place.data();
        let mut command =
            self.account.command(&self.binaries.program("initdb"), self.place.directory());
        command.arg("-D").arg(&data).args([
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "--no-locale",
            "-E",
            "UTF8",
        ]);
        if self.place.passing().contains(&self.place.directory()) {
            command.arg("--no-sync"); // nothing in it outlives this machine's next crash
        }
        let output = self
            .guard
            .output(&mut command)
            .map_err(|error| Error::io("cannot start initdb", &error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::new(
                format!("initdb failed: {}", said.trim()),
                "see its message; a full or read-only disk is the usual cause",
            ));
        }
        self.account.write(&data.join("pg_hba.conf"), ACCESS)?;
        self.account.append(&data.join("postgresql.conf"), "\ninclude 'fairclaim.conf'\n")
    }

    /// Starts the process and waits until it takes connections. A port that somebody else took meanwhile, and a crashed
    /// predecessor whose last children are still ending, are tried again.
    fn launch(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.configure()?;
            let log_start = fs::metadata(self.place.log()).map_or(0, |log| log.len());
            let mut child = self.spawn()?;
            self.guard.watch(Some(child.id()));
            let pid_file = self.place.data().join("postmaster.pid");
            let ready = wait_until(deadline.saturating_duration_since(Instant::now()), || {
                if is_ready(&pid_file, child.id()) {
                    Some(Ok(()))
                } else {
                    exited(&mut child).map(Err)
                }
            });
            match ready {
                Some(Ok(())) => {
                    self.child = Some(child);
                    return Ok(());
                }
                Some(Err(_)) => self.guard.watch(None),
                None => {
                    let _ = child.kill().and_then(|()| child.wait());
                    self.guard.watch(None);
                }
            }
            let said = self.log_since(log_start);
            let passing = ["is still in use", "could not bind", "lock file"]
                .iter()
                .any(|sign| said.contains(sign));
            if !passing || Instant::now() >= deadline {
                return Err(Error::new(
                    format!("{} did not start: {}", self.binaries, last_words(&said)),
                    "check the settings that were asked for, and the space in the temporary folder",
                ));
            }
            thread::sleep(LOOK_EVERY * 10);
        }
    }

    fn spawn(&self) -> Result<Child> {
        self.account
            .command(Path::new("sh"), self.place.directory())
            .args(["-c", LOGGED, "sh"])
            .arg(self.place.log())
            .arg(self.binaries.program("postgres"))
            .arg("-D")
            .arg(self.place.data())
            .process_group(0) // Ctrl-C is for the program that started it
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::io("cannot start the server", &error))
    }

    /// Writes the settings, ours first, so that the caller's win.
    fn configure(&mut self) -> Result<()> {
        if self.tcp {
            self.port = free_port().map_err(|error| Error::io("there is no free port", &error))?;
        }
        let socket = self.place.socket().display().to_string();
        let ours = [
            ("listen_addresses", if self.tcp { "127.0.0.1" } else { "" }),
            ("port", &self.port.to_string()),
            ("unix_socket_directories", &socket),
            ("unix_socket_permissions", "0777"), // the folder is closed, and the caller may be root
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let theirs = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in ours.into_iter().chain(theirs) {
            let _ = writeln!(text, "{}", setting_line(name, value)?);
        }
        self.account.write(&self.place.data().join("fairclaim.conf"), &text)
    }

    fn log_since(&self, start: u64) -> String {
        let log = self.account.read(&self.place.log()).unwrap_or_default();
        let start = usize::try_from(start).map_or(log.len(), |start| start.min(log.len()));
        String::from_utf8_lossy(&log[start..]).into_owned()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        // Nobody is there to hear of a failure; the guard is not needed any more in either case.
        let _ = self.stop();
        self.guard.dismiss();
        self.place.remove();
    }
}

/// Sends a signal through the shell, whose `kill` is everywhere.
fn signal(name: &str, pid: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

fn exited(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().ok().flatten()
}

/// Asks until there is an answer or the time is up.
fn wait_until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether the server of this number says in its pid file that it takes connections (line 8, as `pg_ctl` reads it).
fn is_ready(pid_file: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(pid_file) else { return false };
    let mut lines = text.lines();
    lines.next() == Some(&pid.to_string())
        && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// One line of a configuration file.
fn setting_line(name: &str, value: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) || value.contains(['\n', '\r', '\0']) {
        return Err(Error::new(
            format!("{name:?} cannot be set"),
            "give a setting as postgresql.conf names it, and a value of one line",
        ));
    }
    Ok(format!("{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''")))
}

/// The end of a log, which says why the server ended. Of a server that never took a connection it holds no data.
fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_and_hostile_ones_refused() {
        assert_eq!(
            setting_line("search_path", r"it's \ odd").unwrap(),
            r"search_path = 'it''s \\ odd'"
        );
        assert!(setting_line("port = 1\nfsync", "off").is_err());
        assert!(setting_line("work_mem", "1MB'\nfsync = 'off").is_err());
    }

    #[test]
    fn the_end_of_the_log_says_why() {
        let log = "FATAL:  could not create any Unix-domain sockets\n\nLOG:  database system is shut down\n";
        let said = last_words(&("LOG:  a line\n".repeat(LAST_LINES) + log));
        assert!(said.ends_with(
            "; FATAL:  could not create any Unix-domain sockets; LOG:  database system is shut down"
        ));
        assert_eq!(said.matches("; ").count(), LAST_LINES - 1);
    }
}
