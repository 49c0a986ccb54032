//! How many tests passed and failed, read from what the test runners print.

use std::ops::AddAssign;

/// A count of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// What a line of output says about tests, if it is the closing line of a runner.
pub(crate) fn closing_line(line: &str) -> Option<Tally> {
    let line = without_colours(line);
    // what nextest repeats of a test's own output is indented
    if let Some(counts) = line.strip_prefix("test result: ") {
        // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
        return Some(Tally {
            passed: number_before(counts, " passed")?,
            failed: number_before(counts, " failed")?,
        });
    }
    // Summary [   0.4s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped
    let (run, counts) = line.trim().strip_prefix("Summary [")?.split_once(" run: ")?;
    let run = number_before(run, " test")?;
    let passed = number_before(counts, " passed")?;
    Some(Tally { passed, failed: run.saturating_sub(passed) })
}

/// The number that stands before a word; runners of many tests write `3/10` when they stopped early.
fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    let number = before.rsplit([' ', '.', ',', ';', '(']).next()?;
    number.split('/').next()?.parse().ok()
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with may be none")]
    fn counts(passed: u64, failed: u64) -> Option<Tally> {
        Some(Tally { passed, failed })
    }

    #[test]
    fn the_closing_line_of_cargo_test_is_read() {
        let line = "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(closing_line(line), counts(10, 2));
        assert_eq!(closing_line("test turns::everybody ... ok"), None);
    }

    #[test]
    fn the_closing_line_of_nextest_is_read_with_its_colours() {
        let line = "\u{1b}[31;1m     Summary\u{1b}[0m [   0.476s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped";
        assert_eq!(closing_line(line), counts(10, 2));
        assert_eq!(
            closing_line("     Summary [   0.1s] 1 test run: 1 passed, 0 skipped"),
            counts(1, 0)
        );
        assert_eq!(
            closing_line("     Summary [   0.1s] 3/10 tests run: 2 passed, 1 failed"),
            counts(2, 1)
        );
    }
}
