//! PgBouncer as people run it: in transaction mode, with few sessions of the server for many
//! clients.

use std::{
    env, fs,
    os::unix::{
        fs::{DirBuilderExt, chown},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Its socket has this number; its folder is its own.
const PORT: u16 = 6432;
/// A start takes a few hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the name of its folder has, and with it each URL that leads through it.
pub const MARK: &str = "fc-pooler-";
const INSTALL: &str = "install PgBouncer (on Debian: apt-get update && apt-get install pgbouncer) so that `pgbouncer` is \
                       on PATH or in /usr/sbin, and run this again";

/// Ends when its stdin closes, so that it never outlives the program that started it.
const GUARDED: &str = r#""$1" -q "$2" < /dev/null & pid=$!; read -r _; kill "$pid"; wait"#;

/// A running one. Dropping it ends it.
#[derive(Debug)]
pub struct Pooler {
    folder: PathBuf,
    child: Child,
}

impl Pooler {
    /// Starts one before the server of a connection URL over a socket, for these logins. Each login
    /// has at most so many sessions in each database.
    pub fn start(url: &str, logins: &[&str], sessions: usize) -> Result<Self, String> {
        let program = program()?;
        let account = account()?;
        let folder = make_folder(account).map_err(|error| format!("no folder: {error}"))?;
        let (host, port) = place(url).ok_or("not the URL of a server's socket")?;
        let users: Vec<String> = logins.iter().map(|login| format!("\"{login}\" \"\"")).collect();
        let users = users.join("\n") + "\n";
        let settings = format!(
            "[databases]\n* = host={host} port={port}\n\
             [pgbouncer]\n\
             listen_addr =\nlisten_port = {PORT}\nunix_socket_dir = {folder}\nunix_socket_mode = 0777\n\
             auth_type = trust\nauth_file = {folder}/users\nlogfile = {folder}/log\n\
             pool_mode = transaction\nserver_reset_query =\ndefault_pool_size = {sessions}\nmax_client_conn = 500\n\
             server_idle_timeout = 10\n{older}",
            folder = folder.display(),
            older = if program.knows_prepared { "max_prepared_statements = 0\n" } else { "" },
        );
        let written = [("users", &users), ("ini", &settings)]
            .into_iter()
            .try_for_each(|(name, text)| fs::write(folder.join(name), text));
        written.map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARDED, "sh"]).arg(&program.path).arg(folder.join("ini"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir(&folder).env("LD_LIBRARY_PATH", &program.libraries).process_group(0);
        if let Some((uid, gid)) = account {
            command.uid(uid).gid(gid);
        }
        let child = command.spawn().map_err(|error| format!("cannot start sh: {error}"))?;
        let mut pooler = Self { folder, child };
        pooler.until_it_listens()?;
        Ok(pooler)
    }

    /// The same database and login of another URL, through this.
    pub fn through(&self, url: &str) -> String {
        through(&self.place(), url)
    }

    /// Where it is, as it stands in a URL.
    pub fn place(&self) -> String {
        format!("{}:{PORT}", self.folder.display().to_string().replace('/', "%2F"))
    }

    fn until_it_listens(&mut self) -> Result<(), String> {
        let socket = self.folder.join(format!(".s.PGSQL.{PORT}"));
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(&socket).is_err() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if log().contains("FATAL") || Instant::now() > deadline {
                return Err(format!("PgBouncer did not start: {}", log().trim()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The same database and login of a URL at another place.
pub fn through(place: &str, url: &str) -> String {
    let (before, after) = url.split_once('@').expect("a URL with a user");
    let (_, database) = after.split_once('/').expect("a URL with a database");
    format!("{before}@{place}/{database}")
}

/// The folder of a server's socket, and its number.
fn place(url: &str) -> Option<(String, u16)> {
    let (_, after) = url.split_once('@')?;
    let (place, _) = after.split_once('/')?;
    let (host, port) = place.split_once(':').unwrap_or((place, "5432"));
    let host = host.replace("%2F", "/");
    host.starts_with('/').then_some((host, port.parse().ok()?))
}

/// Where the program is, and what it needs beside the system's.
struct Program {
    path: PathBuf,
    libraries: String,
    /// From 1.21 on it can follow prepared statements, which is off here: not every pooler does.
    knows_prepared: bool,
}

impl Program {
    fn checked(path: PathBuf, libraries: String) -> Option<Self> {
        let mut version = Command::new(&path);
        let output = version.arg("--version").env("LD_LIBRARY_PATH", &libraries).output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, number) = said.lines().next()?.split_once(' ')?;
        let mut parts = number.trim().split('.').map(str::parse::<u32>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(Self { path, libraries, knows_prepared: (major, minor) >= (1, 21) })
    }
}

/// An installed one, else Debian's package, unpacked into a cache and not installed.
fn program() -> Result<Program, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    let installed = env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join("pgbouncer"))
        .filter(|program| program.is_file())
        .find_map(|program| Program::checked(program, String::new()));
    if let Some(program) = installed {
        return Ok(program);
    }
    let cache = cache();
    if !cache.exists() {
        unpack(&cache).map_err(|why| format!("there is no PgBouncer ({why}); {INSTALL}"))?;
    }
    let libraries: Vec<String> = ["usr/lib", "lib"]
        .iter()
        .filter_map(|folder| fs::read_dir(cache.join(folder)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path().display().to_string()))
        .collect();
    Program::checked(cache.join("usr/sbin/pgbouncer"), libraries.join(":"))
        .ok_or_else(|| format!("the PgBouncer in {} does not run; {INSTALL}", cache.display()))
}

/// Root's account for servers has to get there, so not in root's home.
fn cache() -> PathBuf {
    let base = if is_root() {
        Some(PathBuf::from("/var/cache"))
    } else {
        let named = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
        let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        named.map(PathBuf::from).or_else(home)
    };
    base.unwrap_or_else(env::temp_dir).join("fairclaim/pgbouncer")
}

/// Debian's package and the libraries that it names, without installing anything.
fn unpack(cache: &Path) -> Result<(), String> {
    let building = cache.with_extension(format!("{}-{}", std::process::id(), next()));
    let _ = fs::remove_dir_all(&building);
    fs::create_dir_all(&building).map_err(|error| format!("{}: {error}", building.display()))?;
    let script = r#"
        packages="pgbouncer $(apt-cache depends pgbouncer | sed -n 's/^ *|\{0,1\}Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -v '^libc6$')"
        apt-get download $packages
        for package in *.deb; do dpkg -x "$package" .; rm "$package"; done"#;
    let mut command = Command::new("sh");
    let output = command.args(["-euc", script]).current_dir(&building).output();
    let output = output.map_err(|error| format!("sh: {error}"))?;
    let done = if output.status.success() {
        // another test may have been faster
        fs::rename(&building, cache)
            .or_else(|error| if cache.exists() { Ok(()) } else { Err(error) })
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("apt-get download failed");
        Err(std::io::Error::other(last.to_owned()))
    };
    let _ = fs::remove_dir_all(&building);
    done.map_err(|error| error.to_string())
}

/// A short one, closed to everybody else: who reaches the socket may log in.
fn make_folder(account: Option<(u32, u32)>) -> std::io::Result<PathBuf> {
    let folder = env::temp_dir().join(format!("{MARK}{}-{}", std::process::id(), next()));
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    if let Some((uid, gid)) = account {
        chown(&folder, Some(uid), Some(gid))?;
    }
    Ok(folder)
}

/// A number that no other thread of this program has.
fn next() -> u32 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    GIVEN.fetch_add(1, Ordering::Relaxed)
}

fn is_root() -> bool {
    id(&["-u"]) == Some(0)
}

/// PgBouncer refuses root, and the socket's folder of a private server that root started is the
/// account's alone: the same one is chosen here.
fn account() -> Result<Option<(u32, u32)>, String> {
    if !is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some(Some((id(&["-u", name])?, id(&["-g", name])?))))
        .ok_or_else(|| "there is neither an account `postgres` nor `nobody`".to_owned())
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
