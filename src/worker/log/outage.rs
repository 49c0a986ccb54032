//! Logs a database that is away, once for all tasks of a worker: two lines when it goes, one when
//! it is back.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use crate::{
    error::Error,
    worker::{backoff::DATABASE_PAUSE_MAX, log::wording::Span},
};

/// A call that failed so soon after the end of an outage was sent before that end.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// A server that goes away closes its connections one after another: a call that was sent so soon
/// after the first failure may still be answered, and ends no outage.
const CLOSING: Duration = Duration::from_millis(200);

/// Whether the database is away, and since when.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// Whether the database is away, so that a call that succeeds looks at no lock.
    away: AtomicBool,
    episode: Mutex<Episode>,
}

/// When the outage began, or the last one ended.
#[derive(Debug, Default)]
struct Episode {
    since: Option<Instant>,
    ended: Option<Instant>,
}

/// Whether a failed call begins an outage or is a further one of it.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    First,
    Further,
}

impl Outage {
    /// Takes a call that failed. True where the database is away: that is logged here, and the
    /// caller need not log more.
    pub(crate) fn takes(&self, error: &Error) -> bool {
        if !is_away(error) {
            return false;
        }
        match self.episode().failed(Instant::now()) {
            Part::First => {
                self.away.store(true, SeqCst);
                tracing::warn!(%error, hint = error.hint(), "the database is away");
                tracing::warn!(
                    "the worker goes on trying until the database is back, with pauses of {} at \
                     most; handlers that run go on",
                    Span::of(DATABASE_PAUSE_MAX)
                );
            }
            Part::Further => tracing::debug!(%error, "a call failed, since the database is away"),
        }
        true
    }

    /// Notes that the database has answered a call that was sent then.
    pub(crate) fn over(&self, sent: Instant) {
        if !self.away.load(SeqCst) {
            return;
        }
        let Some(lasted) = self.episode().answered(sent, Instant::now()) else { return };
        self.away.store(false, SeqCst);
        let away_seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
        tracing::info!(away_seconds, "the database is back after {}", Span::of(lasted));
    }

    fn episode(&self) -> MutexGuard<'_, Episode> {
        self.episode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Episode {
    fn failed(&mut self, now: Instant) -> Part {
        let leftover =
            self.ended.is_some_and(|ended| now.saturating_duration_since(ended) < LEFTOVERS);
        if self.since.is_some() || leftover {
            return Part::Further;
        }
        self.since = Some(now);
        Part::First
    }

    /// How long the outage has lasted that this answer ends; none where it ends none.
    fn answered(&mut self, sent: Instant, now: Instant) -> Option<Duration> {
        let since =
            self.since.take_if(|since| sent.saturating_duration_since(*since) >= CLOSING)?;
        self.ended = Some(now);
        Some(now.saturating_duration_since(since))
    }
}

/// Whether the connection broke or could not be made, or the server is on its way down or up.
pub(crate) fn is_away(error: &Error) -> bool {
    error.is_unavailable() || matches!(error.sqlstate(), Some("57P01" | "57P02" | "57P03"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_once_for_a_whole_worker_and_what_was_under_way_at_its_end_begins_no_other()
    {
        let (mut episode, start) = (Episode::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(episode.failed(after(0)), Part::First);
        for failure in 1..100 {
            assert_eq!(episode.failed(after(failure * 30)), Part::Further, "another task");
        }
        let answered = episode.answered(after(2990), after(3000));
        assert_eq!(answered, Some(Duration::from_secs(3)));
        assert_eq!(episode.answered(after(2995), after(3001)), None, "it is over already");
        assert_eq!(episode.failed(after(3500)), Part::Further, "it was sent before");
        assert_eq!(episode.failed(after(4001)), Part::First, "the next outage");
    }

    #[test]
    fn an_answer_of_a_server_that_is_closing_its_connections_ends_no_outage() {
        let (mut episode, start) = (Episode::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(episode.failed(after(1000)), Part::First);
        assert_eq!(episode.answered(after(900), after(1010)), None, "it was sent before");
        assert_eq!(episode.answered(after(1020), after(1030)), None, "the last connection");
        assert_eq!(episode.failed(after(3000)), Part::Further, "it is the same outage");
        assert!(episode.answered(after(4000), after(4010)).is_some());
    }

    #[test]
    fn only_a_database_that_is_out_of_reach_is_away() {
        let database = |sqlstate: &str| Error::database(sqlstate, "");
        assert!(is_away(&Error::unavailable("gone")));
        for away in ["57P01", "57P02", "57P03"] {
            assert!(is_away(&database(away)), "{away}");
        }
        for other in ["53300", "57014", "42501", "25006"] {
            assert!(!is_away(&database(other)), "{other}");
        }
    }
}
