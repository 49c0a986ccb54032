//! Figures as people read them: counts, spans, shares.

use indicatif::HumanCount;

use crate::value;

/// A count, with a `+` where there are more.
pub(crate) fn count(jobs: i32, at_least: bool) -> String {
    let more = if at_least { "+" } else { "" };
    format!("{}{more}", HumanCount(u64::from(jobs.unsigned_abs())))
}

/// An estimate of a count: without its fraction.
pub(crate) fn number(estimate: f64) -> String {
    HumanCount(estimate.max(0.0).round() as u64).to_string()
}

/// A span of seconds that may be missing: tenths below ten seconds.
pub(crate) fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 10.0 => format!("{seconds:.1}s"),
        Some(seconds) if seconds < 120.0 => value::duration_text(seconds.round()),
        Some(seconds) if seconds < 7200.0 => value::duration_text((seconds / 60.0).round() * 60.0),
        Some(seconds) => value::duration_text((seconds / 3600.0).round() * 3600.0),
    }
}

/// The median and the 99th percentile.
pub(crate) fn pair(half: Option<f64>, most: Option<f64>) -> String {
    match (half, most) {
        (None, None) => "-".to_owned(),
        _ => format!("{}/{}", span(half), span(most)),
    }
}

/// A part of one.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0}%", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(count(1000, true), "1,000+");
        assert_eq!((number(33.4), number(-1.0)), ("33".to_owned(), "0".to_owned()));
        assert_eq!(pair(Some(0.04), Some(75.2)), "0.0s/75s");
        assert_eq!((span(None), span(Some(600.0))), ("-".to_owned(), "10m".to_owned()));
        assert_eq!(percent(0.254), "25%");
    }
}
