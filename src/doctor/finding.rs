//! A finding of the doctor: a level, a stable name, what was seen, and what to do about it.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It is worth knowing.
    Note,
    /// It works, but will cause trouble.
    Warning,
    /// It does not work, or is not safe.
    Error,
}

impl Level {
    /// Gives the word for the level.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Finds the level of a word.
    pub(super) fn named(word: &str) -> Option<Self> {
        let all = [Self::Ok, Self::Note, Self::Warning, Self::Error];
        all.into_iter().find(|level| level.as_str() == word)
    }
}

/// One finding of [`Client::diagnose`](crate::Client::diagnose). It never holds a tenant or a
/// payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about, by a name that later versions keep. `docs/operate/doctor.md` has all
    /// names.
    pub name: String,
    /// What was seen.
    pub seen: String,
    /// What to do about it. There is none where all is well.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &str, seen: impl Into<String>) -> Self {
        Self::of(Level::Ok, name, seen.into(), None)
    }

    pub(super) fn note(name: &str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Note, name, seen.into(), Some(advice))
    }

    pub(super) fn warning(name: &str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Warning, name, seen.into(), Some(advice))
    }

    pub(super) fn error(name: &str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Error, name, seen.into(), Some(advice))
    }

    fn of(level: Level, name: &str, seen: String, advice: Option<&str>) -> Self {
        Self { level, name: name.to_owned(), seen, advice: advice.map(str::to_owned) }
    }
}

/// Writes a span as people say it: 90 s, 12 min, 5 h, 3 days.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.abs();
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7_200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds < 172_800.0 {
        format!("{:.0} h", seconds / 3_600.0)
    } else {
        format!("{:.0} days", seconds / 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let spans = [0.4, 90.0, 300.0, 7_300.0, 864_000.0].map(span);
        assert_eq!(spans, ["0 s", "90 s", "5 min", "2 h", "10 days"]);
    }
}
