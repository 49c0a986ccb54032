//! Installs and updates the schema: one script, which `migrate` executes and `migrate --print` prints.

mod files;
mod grants;
mod script;

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use rand::Rng;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, error::SqlState};

pub use self::script::{script, version};
pub(crate) use self::{
    grants::executable,
    script::{bodies, checksums},
};
use crate::error::{Error, Result};

/// How often the script is run when two installers meet.
const TRIES_MAX: u32 = 5;
/// And when a transaction of an application has a lock that it needs: each try waits for a second at most, so that nobody stands
/// behind it for longer, and together they take a minute or two.
const LOCK_TRIES_MAX: u32 = 60;

/// What `migrate` does beside installing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// Grants the roles of workers, producers, operators and auditors to the installer, so that one login can do
    /// everything: for trying out, not for production.
    pub grant_self: bool,
}

impl MigrateOptions {
    /// Sets whether the installer gets the roles itself.
    #[must_use]
    pub fn grant_self(mut self, grant: bool) -> Self {
        self.grant_self = grant;
        self
    }
}

/// What `migrate` did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MigrateReport {
    /// The schema's version before; 0 when there was none.
    pub from: i32,
    /// Its version now.
    pub to: i32,
    /// The names of the migrations that were applied.
    pub applied: Vec<String>,
}

/// Runs the script on a connection of its own: after an error it may be left inside an aborted transaction, and no later
/// user of the pool shall find that.
pub(crate) async fn migrate(pool: &Pool, options: &MigrateOptions) -> Result<MigrateReport> {
    let connection = Object::take(pool.get().await?);
    let text = script(options);
    let mut tries = 0;
    loop {
        tries += 1;
        match run(&connection, &text).await {
            Err(error) if tries < tries_max(&error) => {
                connection.batch_execute("rollback").await?;
                let pause = rand::rng().random_range(50..250) * u64::from(tries.min(TRIES_MAX));
                let pause = Duration::from_millis(pause);
                tracing::debug!(tries, "another transaction got in the way; trying again");
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(explain(error)),
            Ok(rows) => return report(&rows),
        }
    }
}

async fn run(
    connection: &Client,
    text: &str,
) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
    let messages = connection.simple_query(text).await?;
    Ok(messages
        .into_iter()
        .filter_map(
            |message| {
                if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None }
            },
        )
        .collect())
}

/// The script's last row says what it did.
fn report(rows: &[SimpleQueryRow]) -> Result<MigrateReport> {
    let read = || {
        let row = rows.last()?;
        let version = |name: &str| row.try_get(name).ok()??.parse::<i32>().ok();
        let applied = row.try_get("applied").ok()??;
        Some(MigrateReport {
            from: version("from_version")?,
            to: version("to_version")?,
            applied: applied
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    };
    read().ok_or_else(|| Error::Schema {
        message: "the migration ran but did not say what it did".into(),
        hint: Some("look at the table fairclaim.migration, and report this".into()),
    })
}

/// How often to try at most when it fails like this.
fn tries_max(error: &tokio_postgres::Error) -> u32 {
    match error.code() {
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => LOCK_TRIES_MAX,
        _ if is_race(error) => TRIES_MAX,
        _ => 1,
    }
}

/// Two installers can collide in catalogs that no lock of ours covers, since roles and schemas come before the lock.
fn is_race(error: &tokio_postgres::Error) -> bool {
    let Some(server) = error.as_db_error() else {
        return false;
    };
    let code = server.code();
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(code)
        || (*code == SqlState::INTERNAL_ERROR && server.message().contains("tuple concurrently"))
}

/// The hint of a denied grant or statement differs from that of everyday calls.
fn explain(error: tokio_postgres::Error) -> Error {
    match Error::from(error) {
        Error::Privilege { message, hint: Some(hint) } if hint.contains("--grant-self") => {
            Error::Privilege {
                message,
                hint: Some(
                    "run migrate as a login with CREATEROLE, and CREATE on this database".into(),
                ),
            }
        }
        Error::Database { sqlstate, .. } if sqlstate == SqlState::LOCK_NOT_AVAILABLE.code() => {
            Error::Database {
                sqlstate,
                message:
                    "another transaction holds a lock on the schema; end it, or try again later"
                        .into(),
            }
        }
        other => other,
    }
}
