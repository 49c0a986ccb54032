//! Words for the worker's log: spans of time, lists of names, and texts of others in one line.

use std::{fmt, time::Duration};

/// Seconds as people say them: `0.25 s`, `15 s`, `4 min`, `2 h`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span(pub(crate) f64);

impl Span {
    pub(crate) fn of(span: Duration) -> Self {
        Self(span.as_secs_f64())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0.0);
        if seconds < 0.1 {
            write!(formatter, "{:.0} ms", (seconds * 1000.0).ceil())
        } else if seconds < 10.0 {
            write!(formatter, "{} s", (seconds * 10.0).round() / 10.0)
        } else if seconds < 120.0 {
            write!(formatter, "{seconds:.0} s")
        } else if seconds < 7200.0 {
            write!(formatter, "{:.0} min", seconds / 60.0)
        } else {
            write!(formatter, "{:.0} h", seconds / 3600.0)
        }
    }
}

/// Names in a sentence: `a, b and c`, or the first few `and 7 more`.
#[derive(Debug)]
pub(crate) struct Listed(String);

impl Listed {
    pub(crate) fn of(names: impl Iterator<Item = impl fmt::Display>, most: usize) -> Self {
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        let text = match names.as_slice() {
            [] => "none".to_owned(),
            [one] => one.clone(),
            all if all.len() > most => {
                format!("{} and {} more", all[..most].join(", "), all.len() - most)
            }
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        };
        Self(text)
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A number of jobs, which may be a lower bound: `1 job`, `at least 1000 jobs`.
pub(crate) fn jobs(count: i64, at_least: bool) -> String {
    let more = if at_least { "at least " } else { "" };
    format!("{more}{count} job{}", if count == 1 { "" } else { "s" })
}

/// Makes a text of others fit within a sentence: without line breaks and control characters, and
/// not too long.
pub(crate) fn one_line(text: &str, characters_max: usize) -> String {
    let mut line: String = text
        .trim()
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(characters_max + 1)
        .collect();
    if line.chars().count() > characters_max {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_say_them() {
        let said = [0.0, 0.0042, 0.25, 3.0, 15.4, 240.0, 7200.0].map(|span| Span(span).to_string());
        assert_eq!(said, ["0 ms", "5 ms", "0.3 s", "3 s", "15 s", "4 min", "2 h"]);
    }

    #[test]
    fn a_list_of_names_reads_as_a_sentence_and_is_bounded() {
        let said = |names: &[&str]| Listed::of(names.iter(), 3).to_string();
        assert_eq!(said(&["a"]), "a");
        assert_eq!(said(&["a", "b", "c"]), "a, b and c");
        assert_eq!(said(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn a_text_of_others_stays_in_its_line() {
        assert_eq!(one_line(" a\nb\u{1b}[31m ", 10), "a b [31m");
        assert_eq!(one_line("äöüß", 3), "äöü…");
    }

    #[test]
    fn one_job_is_no_jobs() {
        assert_eq!([jobs(1, false), jobs(1000, true)], ["1 job", "at least 1000 jobs"]);
    }
}
