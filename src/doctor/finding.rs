//! What was found: a level, a stable name, what was seen, and what to do about it.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It works, and will hurt.
    Warning,
    /// Something does not work, or is not safe.
    Error,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of [`Client::diagnose`](crate::Client::diagnose). It never holds a tenant or a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about: a name that later versions keep.
    pub name: &'static str,
    /// What was seen.
    pub seen: String,
    /// What to do about it; none where all is well.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self::of(Level::Ok, name, seen.into(), None)
    }

    pub(super) fn note(name: &'static str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Note, name, seen.into(), Some(advice))
    }

    pub(super) fn warning(name: &'static str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Warning, name, seen.into(), Some(advice))
    }

    pub(super) fn error(name: &'static str, seen: impl Into<String>, advice: &str) -> Self {
        Self::of(Level::Error, name, seen.into(), Some(advice))
    }

    fn of(level: Level, name: &'static str, seen: String, advice: Option<&str>) -> Self {
        debug_assert!(NAMES.contains(&name), "{name} is not in the list of findings");
        Self { level, name, seen, advice: advice.map(str::to_owned) }
    }
}

/// Every name that a finding can have, in the order of docs/operate/doctor.md; a test compares them.
pub(super) const NAMES: &[&str] = &[
    "unseen",
    "failed_check",
    "connection",
    "server_version",
    "encoding",
    "standby",
    "tls",
    "pooler",
    "clock",
    "schema",
    "checksum",
    "functions",
    "function_security",
    "function_access",
    "foreign_function",
    "row_security",
    "foreign_policy",
    "table_access",
    "login_roles",
    "role_attributes",
    "web_roles",
    "second_installation",
    "ticks",
    "leases",
    "ranges",
    "retention",
    "numbers",
    "tick_steps",
    "open_ticks",
    "undeletable",
    "floors",
    "strays",
    "long_transaction",
    "prepared_transaction",
    "replication_slot",
    "standby_feedback",
    "paused_queues",
    "long_leases",
    "limits",
    "unclaimed_types",
    "suspects",
    "backlog",
    "durability",
    "isolation",
    "row_security_off",
    "logged_parameters",
    "short_timeout",
    "connections",
    "autovacuum",
    "bloat",
    "wraparound",
];

/// `1 job`, `12 jobs`.
pub(super) fn counted(count: i64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A span for people: 90 s, 12 min, 5 h, 3 days.
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

/// Some names of many.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let spans = [0.4, 90.0, 300.0, 7_300.0, 864_000.0].map(span);
        assert_eq!(spans, ["0 s", "90 s", "5 min", "2 h", "10 days"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(some(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(some(&names[..1]), "0");
    }

    #[test]
    fn the_documentation_has_every_finding_in_this_order() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operate/doctor.md");
        let text = std::fs::read_to_string(path).expect("docs/operate/doctor.md");
        let told: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(told, NAMES);
    }
}
