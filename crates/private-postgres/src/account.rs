//! The account that the server programs run as. PostgreSQL refuses to run as root.

use std::{
    io::Write,
    os::unix::{fs::lchown, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::error::{Error, Result};

/// Who the children are: the caller itself, or somebody humbler when the caller is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The caller's own account.
    Own,
    /// Another one, because the caller is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// `postgres` when we are root and it exists, else `nobody`; otherwise ourselves.
    pub(crate) fn choose() -> Result<Self> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self::Own);
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Some(Self::Other { uid: id(&["-u", name])?, gid: id(&["-g", name])? }))
            .ok_or_else(|| {
                Error::new(
                    "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`",
                    "run this as an ordinary user, or add an account: useradd --system postgres",
                )
            })
    }

    /// Whether the caller is root.
    pub(crate) fn caller_is_root(self) -> bool {
        self != Self::Own
    }

    /// A command that runs as this account, in a folder it may be in, with nothing of the caller's that would steer
    /// PostgreSQL another way.
    pub(crate) fn command(self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory).env("LC_ALL", "C").env_remove("LANGUAGE");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives the account a folder that the caller has made, closed to everybody else. Never what a link leads to.
    pub(crate) fn own(self, directory: &Path) -> Result<()> {
        if let Self::Other { uid, gid } = self {
            lchown(directory, Some(uid), Some(gid)).map_err(|error| {
                Error::io(&format!("cannot give {} away", directory.display()), &error)
            })?;
        }
        self.shell("chmod 700 \"$1\"", directory, b"").map(drop)
    }

    /// Writes a file as the account: the folder is the account's, so a path in it may lead the caller anywhere.
    pub(crate) fn write(self, path: &Path, text: &str) -> Result<()> {
        self.shell("cat > \"$1\"", path, text.as_bytes()).map(drop)
    }

    /// Adds to the end of a file, as the account.
    pub(crate) fn append(self, path: &Path, text: &str) -> Result<()> {
        self.shell("cat >> \"$1\"", path, text.as_bytes()).map(drop)
    }

    /// Reads a file as the account.
    pub(crate) fn read(self, path: &Path) -> Result<Vec<u8>> {
        self.shell("cat \"$1\"", path, b"").map(|output| output.stdout)
    }

    /// Runs a line of shell as the account, with a path as its argument.
    fn shell(self, script: &str, path: &Path, input: &[u8]) -> Result<Output> {
        let doing = |error: &std::io::Error| Error::io(&format!("{}", path.display()), error);
        let mut child = self
            .command(Path::new("sh"), Path::new("/"))
            .args(["-c", script, "sh"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| doing(&error))?;
        // what cannot be written is told by how the shell ends
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
        let output = child.wait_with_output().map_err(|error| doing(&error))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(
            format!("the server's account cannot use {}: {}", path.display(), said.trim()),
            "see its message; a full or read-only disk is the usual cause",
        ))
    }

    /// Whether the account can get into the folder.
    pub(crate) fn can_enter(self, directory: &Path) -> bool {
        let mut command = self.command(Path::new("sh"), Path::new("/"));
        command.args(["-c", "cd \"$1\" 2>/dev/null", "sh"]).arg(directory);
        command.status().is_ok_and(|status| status.success())
    }
}

/// What `id` says; it asks the system's own list of accounts, wherever that is kept.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_callers_own_server_do_not_reach_ours() {
        let command = Account::Own.command(Path::new("true"), Path::new("/"));
        assert!(
            command.get_envs().any(|(name, value)| name == "LC_ALL" && value == Some("C".as_ref()))
        );
        assert!(command.get_envs().all(|(name, value)| name == "LC_ALL" || value.is_none()));
    }

    #[test]
    fn files_are_written_and_read_by_the_account() {
        let path = std::env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
        Account::Own.write(&path, "it's\n").unwrap();
        Account::Own.append(&path, "more\n").unwrap();
        assert_eq!(Account::Own.read(&path).unwrap(), b"it's\nmore\n");
        std::fs::remove_file(&path).unwrap();
        let error = Account::Own.read(&path).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }

    #[test]
    fn the_caller_can_enter_the_root_and_nothing_that_is_not_there() {
        assert!(Account::Own.can_enter(Path::new("/")));
        assert!(!Account::Own.can_enter(Path::new("/no/such/folder")));
    }
}
