//! Installs and updates the schema: one script, which `migrate` executes and `migrate --print`
//! prints.

mod build;
mod files;
mod grants;
mod parts;
mod run;
mod script;
mod waiting;

use std::time::Duration;

#[cfg(feature = "doctor")]
pub(crate) use self::{build::contents as this_build, parts::bodies};
pub use self::{parts::version, script::script};
use crate::{client::Client, error::Result};

impl Client {
    /// Installs or updates the schema `fairclaim`. It may be run at any time, any number of times,
    /// and by several programs at once.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when the database is newer
    /// than this build, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) when
    /// the login may not install.
    pub async fn migrate(&self, options: &MigrateOptions) -> Result<MigrateReport> {
        run::migrate(self.pool(), options).await
    }
}

/// What `migrate` does beside installing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// Whether the installer gets the roles of workers, producers, operators and auditors, so that
    /// one login can do everything. It is for trying out, not for production.
    pub grant_self: bool,
    /// About how long it tries while a transaction of an application holds a lock that it needs.
    /// Each try waits for at most a second, so that no other transaction waits behind it for
    /// longer. It defaults to 2 min.
    pub lock_wait: Duration,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self { grant_self: false, lock_wait: Duration::from_secs(120) }
    }
}

impl MigrateOptions {
    /// Sets whether the installer gets the roles itself.
    #[must_use]
    pub fn grant_self(mut self, grant: bool) -> Self {
        self.grant_self = grant;
        self
    }

    /// Sets how long it tries while a transaction holds a lock that it needs.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }
}

/// What `migrate` did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MigrateReport {
    /// The schema's version before, which is 0 if there was none.
    pub from: i32,
    /// Its version now.
    pub to: i32,
    /// The names of the migrations that were applied.
    pub applied: Vec<String>,
    /// The roles that the installer got, if that was asked for.
    pub granted: Vec<String>,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_that_is_needed_is_the_one_that_is_installed() {
        assert_eq!(crate::client::SCHEMA_NEEDED, super::version());
    }
}
