//! The folder that a private server lives in: its data, its socket, its log.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{
    account::Account,
    error::{Error, Result},
};

/// How long the path of a socket's folder may be. The whole path fits in 104 bytes on macOS and 108 on Linux, with the
/// ending NUL, and `/.s.PGSQL.65535` comes after it.
const LONGEST_SOCKET_FOLDER: usize = 103 - "/.s.PGSQL.65535".len();

/// A folder for one server.
#[derive(Debug)]
pub(crate) struct Place {
    /// Everything of the server is in here.
    directory: PathBuf,
    /// The socket is in here, which is another folder when the path of the first is too long.
    socket: PathBuf,
    /// Whether the folder ends with the server.
    temporary: bool,
}

impl Place {
    /// A new folder with a short name, gone when the server is.
    pub(crate) fn temporary(account: Account) -> Result<Self> {
        let directory = make_temporary(account)?;
        Ok(Self { socket: directory.clone(), directory, temporary: true })
    }

    /// A folder that stays, made if it is missing. Only an empty one becomes the account's; whatever else there is is left as
    /// it is.
    pub(crate) fn kept(directory: &Path, account: Account) -> Result<Self> {
        let doing = || format!("cannot make {}", directory.display());
        fs::create_dir_all(directory).map_err(|error| Error::io(&doing(), &error))?;
        let directory = fs::canonicalize(directory).map_err(|error| Error::io(&doing(), &error))?;
        if !directory.join("data").exists() {
            let mut entries =
                fs::read_dir(&directory).map_err(|error| Error::io(&doing(), &error))?;
            if entries.next().is_some() {
                return Err(Error::new(
                    format!("{} holds something else than a server's data", directory.display()),
                    "choose a folder that is empty or does not exist yet",
                ));
            }
            account.own(&directory)?;
        }
        if !account.can_enter(&directory) {
            return Err(Error::new(
                format!("the server's account may not enter {}", directory.display()),
                "choose a folder whose parents everybody may enter, /var/lib/fairclaim for instance",
            ));
        }
        let short = directory.as_os_str().len() <= LONGEST_SOCKET_FOLDER;
        let socket = if short { directory.clone() } else { make_temporary(account)? };
        Ok(Self { directory, socket, temporary: false })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// The folders that end with the server.
    pub(crate) fn passing(&self) -> Vec<&Path> {
        let mut folders = Vec::new();
        if self.temporary {
            folders.push(self.directory.as_path());
        }
        if self.socket != self.directory {
            folders.push(self.socket.as_path());
        }
        folders
    }

    /// Removes what is to go.
    pub(crate) fn remove(&self) {
        for folder in self.passing() {
            // What cannot be removed is left to the system's own cleaning of its temporary folder.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A new folder in the first temporary folder that the account can enter and whose path is short enough, closed to
/// everybody else: who can reach the socket can log in.
fn make_temporary(account: Account) -> Result<PathBuf> {
    let name = format!("fc-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let base = [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
        .into_iter()
        .find(|base| base.join(&name).as_os_str().len() <= LONGEST_SOCKET_FOLDER && account.can_enter(base))
        .ok_or_else(|| {
            Error::new(
                "there is no temporary folder with a short path that the server's account may enter",
                "set TMPDIR to one, /tmp for instance",
            )
        })?;
    let directory = base.join(name);
    fs::DirBuilder::new()
        .mode(0o700) // before anybody can look into it
        .create(&directory)
        .map_err(|error| Error::io(&format!("cannot make {}", directory.display()), &error))?;
    account.own(&directory)?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_temporary_place_is_short_private_and_goes() {
        let place = Place::temporary(Account::Own).unwrap();
        let mode = fs::metadata(place.directory()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(place.socket().as_os_str().len() <= LONGEST_SOCKET_FOLDER);
        place.remove();
        assert!(!place.directory().exists());
    }

    #[test]
    fn a_folder_that_holds_something_else_is_left_as_it_is() {
        let folder = env::temp_dir().join(format!("fc-{}", Uuid::new_v4().simple()));
        fs::DirBuilder::new().mode(0o755).create(&folder).unwrap();
        fs::write(folder.join("diary"), "mine").unwrap();
        let mode = || fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        let before = mode();
        let error = Place::kept(&folder, Account::Own).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("empty")), "{error}");
        assert_eq!(mode(), before);
        fs::remove_file(folder.join("diary")).unwrap();
        Place::kept(&folder, Account::Own).unwrap();
        assert_eq!(mode(), 0o700);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_long_path_gets_its_socket_elsewhere_and_stays() {
        let long =
            env::temp_dir().join(format!("fc-{}-{}", Uuid::new_v4().simple(), "x".repeat(80)));
        let place = Place::kept(&long, Account::Own).unwrap();
        assert!(place.socket().as_os_str().len() <= LONGEST_SOCKET_FOLDER);
        place.remove();
        assert!(place.directory().exists() && !place.socket().exists());
        fs::remove_dir_all(&long).unwrap();
    }
}
