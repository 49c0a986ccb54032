//! The account that the server programs run as. PostgreSQL refuses to run as root.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use super::{fault, io_fault};
use crate::error::Result;

/// Who the children are: the caller itself, or somebody humbler when the caller is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The caller's own account.
    Own,
    /// Another one, because the caller is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// `postgres` when we are root and it exists, else `nobody`; otherwise ourselves.
    pub(super) fn choose() -> Result<Self> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self::Own);
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Some(Self::Other { uid: id(&["-u", name])?, gid: id(&["-g", name])? }))
            .ok_or_else(|| {
                fault(
                    "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`",
                    "run this as an ordinary user, or add an account: useradd --system postgres",
                )
            })
    }

    /// Whether the caller is root.
    pub(super) fn caller_is_root(self) -> bool {
        self != Self::Own
    }

    /// A command that runs as this account, in a folder it may be in, with nothing of the caller's that would steer
    /// PostgreSQL another way.
    pub(super) fn command(self, program: &Path, directory: &Path) -> Command {
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

    /// Makes the account the owner of a file or folder that the caller has made.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .map_err(|error| io_fault(&format!("cannot give {} away", path.display()), &error)),
        }
    }

    /// Whether the account can get into the folder.
    pub(super) fn can_enter(self, directory: &Path) -> bool {
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
    fn the_caller_can_enter_the_root_and_nothing_that_is_not_there() {
        assert!(Account::Own.can_enter(Path::new("/")));
        assert!(!Account::Own.can_enter(Path::new("/no/such/folder")));
    }
}
