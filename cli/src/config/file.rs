//! Which file it is, and what is in it.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use toml::Table;

use crate::error::Hinted;

/// Names the file when --config does not.
const VARIABLE: &str = "FAIRCLAIM_CONFIG";
const BYTES_MAX: u64 = 1 << 20;

/// A configuration file that is there.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    pub(super) table: Table,
    pub(super) mode: u32,
}

impl ConfigFile {
    /// Finds the first that is there: the one that is named, `fairclaim.toml` in the working
    /// directory, the user's own.
    pub(super) fn find(args: &[OsString]) -> anyhow::Result<Option<Self>> {
        let variable = env::var_os(VARIABLE).filter(|path| !path.is_empty());
        if let Some(path) = flag(args).or(variable) {
            let path = PathBuf::from(path);
            return match Self::read(&path)? {
                Some(file) => Ok(Some(file)),
                None => Err(unreadable(&path, "there is no such file")),
            };
        }
        for path in [Some(PathBuf::from("fairclaim.toml")), of_the_user()].into_iter().flatten() {
            if let Some(file) = Self::read(&path)? {
                if file.mode & 0o002 != 0 {
                    return Err(Hinted::usage(
                        format!("{} may be written by every user, so it is not read", file.name()),
                        format!("chmod o-w {0}, or name it: --config {0}", file.name()),
                    )
                    .into());
                }
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let unread = |error: std::io::Error| unreadable(path, &error.to_string());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unread(error)),
        };
        let mode = file.metadata().map_err(unread)?.mode();
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unread)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(unreadable(path, "it is larger than 1 MiB"));
        }
        let table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            // only its first line: what follows may quote the file, which may hold a password
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            Hinted::usage(
                format!("{}, line {line}: {message}", path.display()),
                "it is TOML: `database_url = \"postgres://…\"`, `[work]`, `queue = [\"mail:20\"]`",
            )
        })?;
        Ok(Some(Self { path: path.to_owned(), table, mode }))
    }

    /// Names the file in messages.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn unreadable(path: &Path, why: &str) -> anyhow::Error {
    Hinted::usage(
        format!("cannot read the configuration file {}: {why}", path.display()),
        format!("--config or {VARIABLE} names it; /dev/null is an empty one"),
    )
    .into()
}

/// Looks for the value of --config before the line is parsed, since it decides about the defaults.
fn flag(args: &[OsString]) -> Option<OsString> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().cloned();
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(OsStr::new(path).to_owned());
        }
    }
    None
}

/// Says where the user's own file would be.
fn of_the_user() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("fairclaim/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_found_wherever_it_stands() {
        let find = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            flag(&args).map(|path| path.into_string().unwrap())
        };
        assert_eq!(find("fairclaim --config a jobs list").as_deref(), Some("a"));
        assert_eq!(find("fairclaim jobs list --config=b").as_deref(), Some("b"));
        assert_eq!(find("fairclaim jobs list -- --config c"), None);
        assert_eq!(find("fairclaim jobs list"), None);
    }
}
