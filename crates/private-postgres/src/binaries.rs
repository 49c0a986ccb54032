//! The programs `postgres` and `initdb` of a folder, and whether they will do.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{account::Account, error::Result};

/// The oldest major version that the protocol works with.
pub(crate) const OLDEST: u32 = 15;

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
    pub(crate) fn program(&self, name: &str) -> PathBuf {
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
pub(crate) struct Wanted {
    /// Only this major version.
    pub(crate) major: Option<u32>,
    /// Nothing may be downloaded.
    pub(crate) offline: bool,
    /// Who has to be able to run them.
    pub(crate) account: Account,
}

impl Wanted {
    /// The programs in a folder, or why they will not do.
    pub(crate) fn check(&self, folder: &Path) -> Result<Binaries, String> {
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
            let path = std::env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
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
}
