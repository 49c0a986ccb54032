//! `cargo xtask test`: the steps, in the order in which they find something soonest.

use std::{ffi::OsStr, process::Command};

use crate::{
    options::TestOptions,
    quick, root,
    server::RunServer,
    step::{Step, Verdict},
    tally::Tally,
    tidy,
};

/// Runs the steps and says whether all went well.
pub(crate) fn run(options: &TestOptions) -> anyhow::Result<bool> {
    let mut steps = Vec::new();
    if options.runner.is_empty() {
        check(options, &mut steps);
    }
    test(options, &mut steps)?;
    Ok(summary(&steps))
}

/// What needs no server.
fn check(options: &TestOptions, steps: &mut Vec<Step>) {
    steps.push(Step::command("format", &mut cargo(&["fmt", "--all", "--check"])));
    steps.push(Step::of("tidy", tidy::run));
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    steps.push(Step::command("clippy", &mut cargo(&clippy)));
    steps.push(Step::command("build", &mut cargo(&["build", "--workspace"])));
    if !options.quick {
        // without the feature that the other members of the workspace switch on
        steps.push(Step::command(
            "library alone",
            &mut cargo(&["check", "--package", "fairclaim", "--lib"]),
        ));
        let mut doc = cargo(&["doc", "--package", "fairclaim", "--all-features", "--no-deps"]);
        steps.push(Step::command("documentation", doc.env("RUSTDOCFLAGS", "-D warnings")));
    }
}

/// What runs the code.
fn test(options: &TestOptions, steps: &mut Vec<Step>) -> anyhow::Result<()> {
    let mut names = vec!["tests"];
    if !options.quick && options.runner.is_empty() {
        names.push("examples");
    }
    if options.slow {
        names.extend(["slow tests", "faults"]);
    }
    if steps.iter().any(|step| step.name == "build" && !step.passed()) {
        steps.extend(names.into_iter().map(Step::not_run));
        return Ok(());
    }
    let server = RunServer::start()?;
    for name in names {
        let mut command = match name {
            "examples" => cargo(&["test", "--doc", "--package", "fairclaim", "--all-features"]),
            "slow tests" => runner(&["--package", "fairclaim", "--test", "slow"], false, &[]),
            "faults" => runner(&["--package", "fairclaim-cli", "--test", "faults"], false, &[]),
            _ => runner(&["--workspace"], options.quick, &options.runner),
        };
        server.known_to(&mut command);
        steps.push(Step::tests(name, &mut command));
    }
    server.end(options.keep && steps.iter().any(|step| !step.passed()))
}

/// The cargo that runs us, so that a `+toolchain` holds for all.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What it told us about our own package is news to crates that watch it (ring does): with it they would be built anew, and
    // all that stands on them, each time that somebody calls cargo with and without us in turn.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    command
}

fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// The test runner: nextest where it is installed, else the one of cargo.
fn runner(what: &[&str], quick: bool, arguments: &[String]) -> Command {
    let nextest =
        cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let mut command = cargo(&[]);
    command.args(runner_arguments(nextest, what, quick, arguments));
    command
}

fn runner_arguments<'a>(
    nextest: bool,
    what: &[&'a str],
    quick: bool,
    arguments: &'a [String],
) -> Vec<&'a str> {
    let given = arguments.iter().map(String::as_str);
    let mut all = if nextest { vec!["nextest", "run"] } else { vec!["test"] };
    all.extend(what);
    all.push("--no-fail-fast");
    if nextest {
        all.extend(["--profile", quick::PROFILE].into_iter().filter(|_| quick));
        all.extend(given);
        return all;
    }
    if quick {
        all.extend(quick::PROGRAMS.iter().copied());
    } else if !what.contains(&"--test") {
        all.extend(["--lib", "--bins", "--tests"]);
    }
    all.extend(given);
    if quick {
        let separated = all.contains(&"--");
        all.extend((!separated).then_some("--"));
        quick::skips().for_each(|skip| all.push(skip));
    }
    all
}

/// Prints how every step ended; says whether all went well.
fn summary(steps: &[Step]) -> bool {
    println!("\n== summary");
    let mut sum = Tally::default();
    for step in steps {
        let verdict = match step.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "FAILED",
            Verdict::NotRun => "not run",
        };
        let tests = step.tests.map_or_else(String::new, |tests| {
            sum += tests;
            format!("   {} passed, {} failed", tests.passed, tests.failed)
        });
        println!("{verdict:<8}{:<14}{:>7.1} s{tests}", step.name, step.took.as_secs_f64());
    }
    let failed: Vec<&str> =
        steps.iter().filter(|step| !step.passed()).map(|step| step.name).collect();
    if failed.is_empty() {
        println!("all is well");
    } else {
        println!("not well: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", sum.passed, sum.failed);
    failed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_nothing_about_the_package_that_calls_it() {
        // set by the cargo that runs this test
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let command = cargo(&["build"]);
        let removed = |name: &str| command.get_envs().any(|pair| pair == (OsStr::new(name), None));
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
        assert!(!removed("CARGO_HOME") && !removed("CARGO_TARGET_DIR") && !removed("PATH"));
    }

    #[test]
    fn the_inner_loop_leaves_out_what_takes_long_with_either_runner() {
        let arguments = |nextest, quick, given: &[String]| {
            runner_arguments(nextest, &["--workspace"], quick, given).join(" ")
        };
        let given = ["turns".to_owned()];
        assert_eq!(
            arguments(true, true, &[]),
            "nextest run --workspace --no-fail-fast --profile quick"
        );
        assert_eq!(arguments(true, false, &given), "nextest run --workspace --no-fail-fast turns");
        assert_eq!(
            arguments(false, false, &given),
            "test --workspace --no-fail-fast --lib --bins --tests turns"
        );
        let quick = arguments(false, true, &given);
        assert!(
            quick.contains(" --test it --test command_line --test e2e turns -- --skip "),
            "{quick}"
        );
        assert!(quick.ends_with("--skip worker::solo::") && !quick.contains("--tests"), "{quick}");
        let passed_on = ["--".to_owned(), "--nocapture".to_owned()];
        assert_eq!(arguments(false, true, &passed_on).matches(" -- ").count(), 1);
    }

    #[test]
    fn one_step_that_failed_or_did_not_run_fails_the_whole() {
        let passed = || Step::of("fine", || Ok(true));
        assert!(summary(&[passed()]));
        assert!(!summary(&[passed(), Step::not_run("tests")]));
        assert!(!summary(&[Step::of("bad", || Ok(false)), passed()]));
        assert!(!summary(&[Step::of("broken", || anyhow::bail!("no disk"))]));
    }
}
