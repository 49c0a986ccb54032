//! `cargo xtask test`: the steps, in the order in which they find something soonest.

use std::{ffi::OsStr, process::Command};

use crate::{
    options::TestOptions,
    pooled,
    profile::Part,
    root,
    server::RunServer,
    step::{Step, Verdict},
    tally::Tally,
    tidy,
};

/// The step that runs the behaviours through a pooler.
const POOLED: &str = "pooled tests";
const POOLED_PROGRAM: [&str; 4] = ["--package", "fairclaim", "--test", "it"];

/// The step that runs what takes minutes.
const SLOW: &str = "slow tests";
const SLOW_PROGRAMS: [&str; 8] =
    ["--package", "fairclaim", "--package", "fairclaim-cli", "--test", "it", "--test", "e2e"];

/// Programs of the inner loop for the runner of cargo: all but `bench`.
const QUICK_PROGRAMS: [&str; 10] = [
    "--lib",
    "--bins",
    "--test",
    "it",
    "--test",
    "command_line",
    "--test",
    "bad_input",
    "--test",
    "e2e",
];

/// What compiles by itself: the library without any part and with each, and the binary without the benchmarks.
const FEATURES: [&[&str]; 6] = [
    &["--package", "fairclaim", "--lib"],
    &["--package", "fairclaim", "--lib", "--features", "tls"],
    &["--package", "fairclaim", "--lib", "--features", "worker"],
    &["--package", "fairclaim", "--lib", "--features", "migrate"],
    &["--package", "fairclaim", "--lib", "--features", "doctor"],
    &["--package", "fairclaim-cli"],
];

/// Runs the steps and says whether all went well.
pub(crate) fn run(options: &TestOptions) -> anyhow::Result<bool> {
    let mut steps = Vec::new();
    if options.runner.is_empty() && !options.pooled && !options.slow {
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
        for features in FEATURES {
            let mut check = cargo(&["check", "--no-default-features"]);
            steps.push(Step::command("features", check.args(features)));
        }
        let mut doc = cargo(&["doc", "--package", "fairclaim", "--all-features", "--no-deps"]);
        steps.push(Step::command("documentation", doc.env("RUSTDOCFLAGS", "-D warnings")));
    }
}

/// What runs the code.
fn test(options: &TestOptions, steps: &mut Vec<Step>) -> anyhow::Result<()> {
    let names = match options {
        TestOptions { slow: true, .. } => vec![SLOW],
        TestOptions { pooled: true, .. } => vec![POOLED],
        TestOptions { quick: false, runner, .. } if runner.is_empty() => {
            vec!["tests", POOLED, "examples"]
        }
        _ => vec!["tests"],
    };
    if steps.iter().any(|step| step.name == "build" && !step.passed()) {
        steps.extend(names.into_iter().map(Step::not_run));
        return Ok(());
    }
    let server = RunServer::start()?;
    for name in names {
        // each step has its own, so that none carries over what another left in it
        let pooler = (name == POOLED).then(|| pooled::start(&server.url())).transpose()?;
        let mut command = match name {
            "examples" => cargo(&["test", "--doc", "--package", "fairclaim", "--all-features"]),
            SLOW => runner(&SLOW_PROGRAMS, Part::Slow, &options.runner),
            POOLED => runner(&POOLED_PROGRAM, Part::Pooled, &options.runner),
            _ if options.quick => runner(&["--workspace"], Part::Quick, &options.runner),
            _ => runner(&["--workspace"], Part::Whole, &options.runner),
        };
        if let Some(pooler) = &pooler {
            pooled::known_to(pooler, &mut command);
        }
        server.known_to(&mut command);
        steps.push(Step::tests(name, &mut command));
    }
    server.end(options.keep && steps.iter().any(|step| !step.passed()))
}

/// The cargo that runs us, so that a `+toolchain` holds for all.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What it told us about our own package is news to crates that watch it (ring does): with it they would be built
    // again, and all that stands on them, whenever a developer calls cargo with and without us in turn.
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
fn runner(what: &[&str], part: Part, arguments: &[String]) -> Command {
    let nextest =
        cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let mut command = cargo(&[]);
    command.args(runner_arguments(nextest, what, part, arguments));
    command
}

fn runner_arguments<'a>(
    nextest: bool,
    what: &[&'a str],
    part: Part,
    arguments: &'a [String],
) -> Vec<&'a str> {
    let given = arguments.iter().map(String::as_str);
    let mut all = if nextest { vec!["nextest", "run"] } else { vec!["test"] };
    all.extend(what);
    all.push("--no-fail-fast");
    if nextest {
        all.extend(part.profile().into_iter().flat_map(|profile| ["--profile", profile]));
        if part == Part::Slow {
            all.extend(["--run-ignored", "only", "-E", "test(/^slow::/)"]);
        }
        all.extend(given);
        return all;
    }
    if part == Part::Quick {
        all.extend(QUICK_PROGRAMS);
    } else if !what.contains(&"--test") {
        all.extend(["--lib", "--bins", "--tests"]);
    }
    all.extend(given);
    let separated = all.contains(&"--");
    all.extend((part != Part::Whole && !separated).then_some("--"));
    if part == Part::Slow {
        all.extend(["--ignored", "slow::"]);
    }
    // it looks for the texts anywhere in a name, so a few more tests are left out
    all.extend(part.left_out().into_iter().flat_map(|start| ["--skip", start]));
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
        let arguments = |nextest, part, given: &[String]| {
            runner_arguments(nextest, &["--workspace"], part, given).join(" ")
        };
        let given = ["turns".to_owned()];
        assert_eq!(
            arguments(true, Part::Quick, &[]),
            "nextest run --workspace --no-fail-fast --profile quick"
        );
        assert_eq!(
            arguments(true, Part::Whole, &given),
            "nextest run --workspace --no-fail-fast turns"
        );
        assert_eq!(
            arguments(false, Part::Whole, &given),
            "test --workspace --no-fail-fast --lib --bins --tests turns"
        );
        let quick = arguments(false, Part::Quick, &given);
        assert!(
            quick.contains(
                " --test it --test command_line --test bad_input --test e2e turns -- --skip "
            ),
            "{quick}"
        );
        assert!(
            quick.ends_with("--skip worker::run_alone::") && !quick.contains("--tests"),
            "{quick}"
        );
        let it = ["--test", "it"];
        let pooled = |nextest| runner_arguments(nextest, &it, Part::Pooled, &[]).join(" ");
        assert_eq!(pooled(true), "nextest run --test it --no-fail-fast --profile pooled");
        assert!(
            pooled(false)
                .starts_with("test --test it --no-fail-fast -- --skip contract_by_hand::line_9_")
        );
        let slow = |nextest| runner_arguments(nextest, &it, Part::Slow, &[]).join(" ");
        assert!(slow(true).ends_with("--run-ignored only -E test(/^slow::/)"));
        assert!(slow(false).ends_with("-- --ignored slow::"));
        let passed_on = ["--".to_owned(), "--nocapture".to_owned()];
        assert_eq!(arguments(false, Part::Quick, &passed_on).matches(" -- ").count(), 1);
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
