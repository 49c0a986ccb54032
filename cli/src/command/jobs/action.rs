//! What an operator does to jobs, and how many it is for, in words.

use fairclaim::Count;

use crate::words::counted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Cancel,
    Retry,
    Delete,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }

    /// Says what happened to those that it changed.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Retry => "waiting again",
            Self::Delete => "deleted",
        }
    }
}

/// Says how many: `12 jobs`, `more than 100,000 jobs`.
pub(super) fn jobs(count: Count) -> String {
    let more = if count.more { "more than " } else { "" };
    format!("{more}{}", counted(count.jobs, "job"))
}
