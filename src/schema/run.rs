//! Executes the script of a migration, again if another transaction got in the way.

use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use rand::Rng;
use tokio_postgres::{
    Client, SimpleQueryMessage, SimpleQueryRow,
    error::{DbError, SqlState},
};

use super::{
    MigrateOptions, MigrateReport,
    script::{SELF_ROLES, script},
    waiting::Wait,
};
use crate::{
    error::{Error, Result},
    protocol::statements::BACKEND_PID,
};

/// How often the script is run, at most, when two installers meet.
const TRIES_MAX: u32 = 5;

/// Runs the script on a connection of its own. After an error it may be left inside an aborted
/// transaction, and no later user of the pool shall find that.
pub(super) async fn migrate(pool: &Pool, options: &MigrateOptions) -> Result<MigrateReport> {
    let connection = Object::take(pool.get().await?);
    let wait = Wait::default();
    tokio::select! {
        done = repeat(&connection, options, &wait) => done,
        never = wait.watch(pool) => match never {},
    }
}

async fn repeat(
    connection: &Client,
    options: &MigrateOptions,
    wait: &Wait,
) -> Result<MigrateReport> {
    let (text, started) = (script(options), Instant::now());
    let mut tries = 0;
    loop {
        tries += 1;
        match run(connection, &text, wait).await {
            Ok(rows) => return report(&rows, options),
            Err(error)
                if !is_worth_another(&error, tries, started.elapsed() < options.lock_wait) =>
            {
                return Err(explain(error, wait));
            }
            Err(_) => {}
        }
        connection.batch_execute("rollback").await?;
        let pause = rand::rng().random_range(50..250) * u64::from(tries.min(TRIES_MAX));
        tracing::debug!(tries, "another transaction got in the way; trying again");
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn run(
    connection: &Client,
    text: &str,
    wait: &Wait,
) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
    // begins the transaction of the script, so that a pooler keeps the process
    let process = rows_of(connection.simple_query(&format!("begin; {BACKEND_PID}")).await?);
    let process = process.first().and_then(|row| row.get(0)?.parse().ok());
    wait.is_of(process.unwrap_or_default());
    Ok(rows_of(connection.simple_query(text).await?))
}

fn rows_of(messages: Vec<SimpleQueryMessage>) -> Vec<SimpleQueryRow> {
    messages
        .into_iter()
        .filter_map(
            |message| {
                if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None }
            },
        )
        .collect()
}

/// Reads the script's last row, which says what it did.
fn report(rows: &[SimpleQueryRow], options: &MigrateOptions) -> Result<MigrateReport> {
    let granted: &[&str] = if options.grant_self { &SELF_ROLES } else { &[] };
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
            granted: granted.iter().map(|&role| role.to_owned()).collect(),
        })
    };
    read().ok_or_else(|| {
        Error::schema_mismatch(
            "the migration ran but did not say what it did",
            "look at the table fairclaim_internal.migration, and report this",
        )
    })
}

/// Says whether the script may succeed when it is run again. For locks and deadlocks the clock
/// decides, since one try may take long. Another object of the same name may stay there for good,
/// so the tries of such races are counted.
fn is_worth_another(error: &tokio_postgres::Error, tries: u32, in_time: bool) -> bool {
    let Some(server) = error.as_db_error() else {
        return false;
    };
    let (code, few) = (server.code(), tries < TRIES_MAX);
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        in_time
    } else if *code == SqlState::T_R_DEADLOCK_DETECTED || is_collision(server) {
        in_time || few
    } else {
        is_race(code) && few
    }
}

/// Says whether another transaction changed the same entry of a catalog at the same time.
fn is_collision(server: &DbError) -> bool {
    *server.code() == SqlState::INTERNAL_ERROR && server.message().contains("tuple concurrently")
}

/// Says whether two installers collided in a catalog. No lock of ours covers roles and schemas,
/// which come before the lock.
fn is_race(code: &SqlState) -> bool {
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
    ]
    .contains(code)
}

/// Explains why the script failed. Its hint for a missing role differs from that of everyday calls.
fn explain(error: tokio_postgres::Error, wait: &Wait) -> Error {
    let error = Error::from(error);
    if error.lacks_role() {
        return error
            .with_hint("run migrate as a login with CREATEROLE, and CREATE on this database");
    }
    if error.sqlstate() == Some(SqlState::LOCK_NOT_AVAILABLE.code()) {
        let blockers = wait.blockers();
        return error.with_message(format!(
            "another transaction holds a lock that the migration needs: {blockers}; nothing was \
             changed"
        ));
    }
    error
}
