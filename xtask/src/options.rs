//! The command line.

pub(crate) const HELP: &str = "\
cargo xtask test [--quick] [--slow] [--pooled] [--keep] [-- <arguments of the test runner>]
    Everything that a change has to pass: format, tidy, clippy, build, tests, examples in the documentation, documentation.
    --quick   leaves out the documentation, its examples, and tests of more than about three seconds: the inner loop
    --slow    runs nothing but the tests that take minutes: many jobs, many steps of the model, every fault in full
    --pooled  runs nothing but the behaviours through a transaction pooler, which is else a step of its own
    --keep    leaves the server running when something failed, with the databases of the failed tests
    --        runs the tests alone, with these arguments: `cargo xtask test -- turns`
cargo xtask tidy
    Looks for what must not be in the repository.
cargo xtask golden
    Rewrites sql/schema.golden.sql, sql/fairclaim.sql and docs/reference/sql.md from a fresh installation.";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    Help,
    Test(TestOptions),
    Tidy,
    Golden,
}

/// How to test.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    pub(crate) quick: bool,
    pub(crate) slow: bool,
    pub(crate) pooled: bool,
    pub(crate) keep: bool,
    /// Arguments of the test runner; when there are any, only the tests run.
    pub(crate) runner: Vec<String>,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Chore, String> {
    let chore = arguments.next().unwrap_or_else(|| "help".to_owned());
    match chore.as_str() {
        "test" => parse_test(arguments).map(Chore::Test),
        "tidy" => Ok(Chore::Tidy),
        "golden" => Ok(Chore::Golden),
        "help" | "--help" | "-h" => Ok(Chore::Help),
        other => Err(format!("there is no chore `{other}`")),
    }
}

fn parse_test(mut arguments: impl Iterator<Item = String>) -> Result<TestOptions, String> {
    let mut options = TestOptions::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--slow" => options.slow = true,
            "--pooled" => options.pooled = true,
            "--keep" => options.keep = true,
            "--" => options.runner.extend(arguments.by_ref()),
            other => return Err(format!("`test` has no option `{other}`")),
        }
    }
    if [options.quick, options.slow, options.pooled].iter().filter(|&&one| one).count() > 1 {
        return Err("--quick, --slow and --pooled exclude each other".to_owned());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Chore, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let expected =
            TestOptions { keep: true, runner: vec!["turns".to_owned()], ..TestOptions::default() };
        assert_eq!(parsed("test --keep -- turns"), Ok(Chore::Test(expected)));
        assert_eq!(parsed(""), Ok(Chore::Help));
        assert!(parsed("test --fast").is_err());
        assert!(parsed("tests").is_err());
        assert!(parsed("test --quick --slow").is_err());
        assert!(parsed("test --quick --pooled").is_err());
    }
}
