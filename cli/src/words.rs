//! Numbers and spans as people read them.

use std::time::Duration;

use indicatif::HumanCount;

/// Counts in words: `1 job`, `1,200 jobs`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", HumanCount(count))
}

/// Tells a span in its largest fitting unit, rounded up: `12 s`, `5 min`, `3 h`, `9 d`.
pub(crate) fn span(span: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{} min", seconds.div_ceil(MINUTE)),
        5_401..=172_800 => format!("{} h", seconds.div_ceil(HOUR)),
        _ => format!("{} d", seconds.div_ceil(DAY)),
    }
}

/// Cuts a text to at most so many characters; one that is cut ends with a mark.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// Breaks a text into lines of whole words, the further ones set in.
pub(crate) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let begin = paragraph.len() - paragraph.trim_start().len();
        let mut line = " ".repeat(begin);
        let mut is_empty = true;
        for word in paragraph.split_whitespace() {
            let fits =
                line.chars().count() + usize::from(!is_empty) + word.chars().count() <= width;
            if !is_empty && !fits {
                lines.push(std::mem::replace(&mut line, " ".repeat(begin.max(indent))));
            } else if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        lines.push(if is_empty { String::new() } else { line });
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "job"), "1 job");
        assert_eq!(counted(0, "job"), "0 jobs");
        assert_eq!(counted(1200, "line"), "1,200 lines");
    }

    #[test]
    fn a_span_has_one_unit_and_never_reads_as_over_before_it_is() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (12_000, "12 s"),
            (90_001, "2 min"),
            (3_600_000, "60 min"),
            (7_200_000, "2 h"),
            (172_800_000, "48 h"),
            (172_800_001, "3 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_with_a_mark() {
        assert_eq!(cut("welcome", 7), "welcome");
        assert_eq!(cut("welcome_mail", 7), "welcom…");
        assert_eq!(cut("ééé", 2), "é…");
    }

    #[test]
    fn words_are_not_broken() {
        assert_eq!(wrapped("one two three", 8, 2), "one two\n  three");
        assert_eq!(wrapped("    four five six\nx", 12, 2), "    four\n    five six\nx");
    }
}
