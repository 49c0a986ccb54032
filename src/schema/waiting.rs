//! Finds out who keeps a migration waiting. It asks on a second connection, since the one that
//! waits cannot.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_postgres::types::Type;

use crate::{error::Result, protocol::statements::BLOCKERS};

/// How long it does not ask, since most migrations are over by then.
const QUIET: Duration = Duration::from_secs(2);
/// How often it asks. A try waits for a lock for a second, so it is seen waiting.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Which session migrates, and who held a lock that it needed when it was last seen waiting.
#[derive(Debug, Default)]
pub(super) struct Wait {
    migrator: AtomicI32,
    blockers: Mutex<Vec<i32>>,
}

impl Wait {
    /// Sets the process that migrates. Behind a pooler each try may have another one.
    pub(super) fn is_of(&self, process: i32) {
        self.migrator.store(process, Ordering::Relaxed);
    }

    /// Looks again and again until it is dropped. When it finds a blocker for the first time, it
    /// warns in the log.
    pub(super) async fn watch(&self, pool: &Pool) -> Infallible {
        sleep(QUIET).await;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            looks.tick().await;
            // without a free connection it cannot look, which does no harm
            let Ok(found) = self.look(pool).await else { continue };
            if found.is_empty() {
                continue;
            }
            *self.blockers.lock().unwrap_or_else(PoisonError::into_inner) = found;
            if !told {
                told = true;
                tracing::warn!(
                    "migrate waits for a lock that another transaction holds: {}; \
                     see it in pg_stat_activity, and end it if it is not needed",
                    self.blockers()
                );
            }
        }
    }

    async fn look(&self, pool: &Pool) -> Result<Vec<i32>> {
        let migrator = self.migrator.load(Ordering::Relaxed);
        let rows = pool.get().await?.query_typed(BLOCKERS, &[(&migrator, Type::INT4)]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Names the blockers that were seen last.
    pub(super) fn blockers(&self) -> String {
        in_words(&self.blockers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn in_words(processes: &[i32]) -> String {
    if processes.is_empty() {
        return "its process was not seen".into();
    }
    let names: Vec<String> = processes
        .iter()
        .map(|process| match process {
            0 => "a prepared transaction (pg_prepared_xacts)".to_owned(),
            process => format!("pid {process}"),
        })
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holders_of_the_lock_are_named() {
        assert_eq!(in_words(&[12, 345]), "pid 12, pid 345");
        assert_eq!(in_words(&[0]), "a prepared transaction (pg_prepared_xacts)");
        assert_eq!(in_words(&[]), "its process was not seen");
    }
}
