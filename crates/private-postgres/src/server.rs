//! The public face of a private server.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::NoTls;

use crate::{
    account::Account,
    binaries::{Binaries, Wanted},
    error::{Error, Result},
    find,
    place::Place,
    process::{SUPERUSER, ServerProcess},
};

/// How to start a [`PrivateServer`].
#[derive(Debug, Clone, Default)]
pub struct PrivateServerBuilder {
    directory: Option<PathBuf>,
    settings: Vec<(String, String)>,
    major: Option<u32>,
    offline: bool,
    tcp: bool,
}

impl PrivateServerBuilder {
    /// Keeps the data in this folder, which may have been used before; else it has to be empty or missing. Without it the
    /// folder is temporary.
    #[must_use]
    pub fn dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// One setting, as in `postgresql.conf`. Later ones win.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Several settings.
    #[must_use]
    pub fn settings<N: Into<String>, V: Into<String>>(
        mut self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.settings.extend(settings.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Only this major version of PostgreSQL.
    #[must_use]
    pub fn major_version(mut self, major: u32) -> Self {
        self.major = Some(major);
        self
    }

    /// Whether nothing may be downloaded or installed.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Whether to listen on a free port of the loopback too, which every user of this machine can reach. There every login
    /// needs a password, and the superuser is refused: [`PrivateServer::create_login`] makes passwords up,
    /// [`PrivateServer::tcp_url`] has them.
    #[must_use]
    pub fn tcp(mut self, tcp: bool) -> Self {
        self.tcp = tcp;
        self
    }

    /// Finds the programs, makes the data folder and starts the server; it takes about two seconds.
    ///
    /// # Errors
    /// [`Error`], with what to do.
    pub async fn start(self) -> Result<PrivateServer> {
        let process = blocking(move || self.start_blocking()).await?;
        Ok(PrivateServer {
            socket: process.place.socket().to_owned(),
            directory: process.place.directory().to_owned(),
            binaries: process.binaries.clone(),
            passwords: Mutex::default(),
            process: Arc::new(Mutex::new(process)),
        })
    }

    fn start_blocking(self) -> Result<ServerProcess> {
        let major = match &self.directory {
            Some(directory) => version_of(&directory.join("data")).or(self.major),
            None => self.major,
        };
        let binaries =
            find::find(&Wanted { major, offline: self.offline, account: Account::choose()? })?;
        let account = Account::choose()?; // again: an installation may just have made a better one
        let place = match &self.directory {
            Some(directory) => Place::kept(directory, account)?,
            None => Place::temporary(account)?,
        };
        ServerProcess::start(binaries, place, account, self.settings, self.tcp)
    }
}

/// A running PostgreSQL server of one's own. Dropping it stops it, and removes its folder if that was temporary; dropping
/// blocks for a moment, so in async code [`PrivateServer::stop`] it first.
#[derive(Debug)]
pub struct PrivateServer {
    process: Arc<Mutex<ServerProcess>>,
    socket: PathBuf,
    directory: PathBuf,
    binaries: Binaries,
    /// Of the logins that were made here, for the loopback.
    passwords: Mutex<HashMap<String, Password>>,
}

/// Shown by no `Debug`.
struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password")
    }
}

impl PrivateServer {
    /// Begins to describe a server.
    pub fn builder() -> PrivateServerBuilder {
        PrivateServerBuilder::default()
    }

    /// Makes a role that can log in. `options` are those of `CREATE ROLE`, for instance `createrole` or
    /// `in role fairclaim_worker`. With [`PrivateServerBuilder::tcp`] it gets a password, unless the options have one.
    ///
    /// # Errors
    /// [`Error`] when the name or the options are no such thing, and when the role exists.
    pub async fn create_login(&self, name: &str, options: &str) -> Result<()> {
        if options.contains(';') {
            return Err(Error::new(
                "options of a login hold no `;`",
                "give them as CREATE ROLE takes them, or none",
            ));
        }
        let mut sql = format!("create role {} login {options}", quoted(name)?);
        let has_one = options.to_ascii_lowercase().contains("password");
        let password = uuid::Uuid::new_v4().simple().to_string();
        let needs_one = !has_one && self.with(|process| process.tcp);
        if needs_one {
            sql = format!("{sql} password '{password}'");
        }
        self.execute_as_superuser("postgres", &sql).await?;
        if needs_one {
            self.passwords().insert(name.to_owned(), Password(password));
        }
        Ok(())
    }

    /// Makes a database that belongs to a role.
    ///
    /// # Errors
    /// [`Error`] when it exists or the role does not.
    pub async fn create_database(&self, name: &str, owner: &str) -> Result<()> {
        let sql = format!("create database {} owner {}", quoted(name)?, quoted(owner)?);
        self.execute_as_superuser("postgres", &sql).await
    }

    /// Runs statements as the server's superuser: to set up what a database's owner may not, an extension for instance.
    ///
    /// # Errors
    /// What the server says.
    pub async fn execute_as_superuser(&self, database: &str, sql: &str) -> Result<()> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(&self.socket)
            .port(self.port())
            .user(SUPERUSER)
            .dbname(database)
            .application_name("fairclaim launcher")
            .connect(NoTls)
            .await?;
        let connection = tokio::spawn(connection);
        let done = client.batch_execute(sql).await;
        drop(client);
        // until the server has closed it, the session would keep its database from being a template or dropped
        let _ = connection.await;
        Ok(done?)
    }

    /// The connection URL of a database for a role, over the socket.
    pub fn url(&self, database: &str, user: &str) -> String {
        let host = percent_encoded(&self.socket.to_string_lossy());
        let port = match self.port() {
            5432 => String::new(),
            port => format!(":{port}"),
        };
        format!("postgres://{}@{host}{port}/{}", percent_encoded(user), percent_encoded(database))
    }

    /// The connection URL of a database for a role, over the loopback; none unless [`PrivateServerBuilder::tcp`] was set.
    /// It holds the password of a login that this value made. A restart may change the port.
    pub fn tcp_url(&self, database: &str, user: &str) -> Option<String> {
        let (tcp, port) = self.with(|process| (process.tcp, process.port));
        let password = self.passwords().get(user).map(|Password(text)| format!(":{text}"));
        tcp.then(|| {
            format!(
                "postgres://{}{}@127.0.0.1:{port}/{}",
                percent_encoded(user),
                password.unwrap_or_default(),
                percent_encoded(database)
            )
        })
    }

    /// The connection URL for the superuser: for the set-up of tests, never for an application.
    pub fn superuser_url(&self, database: &str) -> String {
        self.url(database, SUPERUSER)
    }

    /// The folder of the server: its data in `data`, its log in `server.log`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The programs that it runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The number of its first process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.with(|process| process.pid())
    }

    /// Stops the server: open transactions are rolled back, clients are cut off.
    ///
    /// # Errors
    /// [`Error`] when its process cannot be ended.
    pub async fn stop(&self) -> Result<()> {
        self.change(ServerProcess::stop).await
    }

    /// Kills the server as a crash would, for tests of what survives that.
    ///
    /// # Errors
    /// [`Error`] when its process cannot be killed.
    pub async fn kill(&self) -> Result<()> {
        self.change(ServerProcess::kill).await
    }

    /// Stops the server if it runs, and starts it on the same data.
    ///
    /// # Errors
    /// [`Error`] when it does not start.
    pub async fn restart(&self) -> Result<()> {
        self.change(ServerProcess::restart).await
    }

    /// Leaves the server running, on and on, and its folder in place. `kill -INT` to [`PrivateServer::pid`] stops it.
    pub fn leave_running(self) {
        self.with(ServerProcess::release);
    }

    fn passwords(&self) -> MutexGuard<'_, HashMap<String, Password>> {
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn port(&self) -> u16 {
        self.with(|process| process.port)
    }

    fn with<T>(&self, act: impl FnOnce(&mut ServerProcess) -> T) -> T {
        // a panic in between leaves the process as it was, so a poisoned lock is as good as any
        act(&mut self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn change(
        &self,
        act: impl FnOnce(&mut ServerProcess) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let process = Arc::clone(&self.process);
        blocking(move || act(&mut process.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(act)
        .await
        .unwrap_or_else(|_| Err(Error::without_hint("the launcher was interrupted")))
}

/// The major version that a data folder belongs to.
fn version_of(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// An SQL identifier.
fn quoted(name: &str) -> Result<String> {
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err(Error::new(
            "a name of a role or database has 1 to 63 bytes",
            "choose a shorter one",
        ));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// The text with everything that means something in a URL written as its code.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_sql_and_for_urls() {
        assert_eq!(quoted("a\"b").unwrap(), "\"a\"\"b\"");
        assert!(quoted("").is_err() && quoted(&"x".repeat(64)).is_err());
        assert_eq!(percent_encoded("/tmp/fc-1 ü"), "%2Ftmp%2Ffc-1%20%C3%BC");
    }
}
