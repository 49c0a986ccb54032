//! `cargo xtask test`: the steps, in the order in which they find something soonest.

use std::process::Command;

use crate::{
    options::TestOptions,
    root,
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
        names.push("slow tests");
    }
    if steps.iter().any(|step| step.name == "build" && !step.passed()) {
        steps.extend(names.into_iter().map(Step::not_run));
        return Ok(());
    }
    let server = RunServer::start()?;
    for name in names {
        let mut command = match name {
            "examples" => cargo(&["test", "--doc", "--package", "fairclaim", "--all-features"]),
            "slow tests" => runner(&["--package", "fairclaim", "--test", "slow"], &[]),
            _ => runner(&["--workspace"], &options.runner),
        };
        server.known_to(&mut command);
        steps.push(Step::tests(name, &mut command));
    }
    server.end(options.keep && steps.iter().any(|step| !step.passed()))
}

fn cargo(arguments: &[&str]) -> Command {
    // the cargo that runs us, so that a `+toolchain` holds for all
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The test runner: nextest where it is installed, else the one of cargo.
fn runner(what: &[&str], arguments: &[String]) -> Command {
    let nextest =
        cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let mut command = if nextest { cargo(&["nextest", "run"]) } else { cargo(&["test"]) };
    command.args(what).arg("--no-fail-fast");
    if !nextest {
        command.args(if what.contains(&"--test") {
            &[][..]
        } else {
            &["--lib", "--bins", "--tests"]
        });
    }
    command.args(arguments);
    command
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
    fn one_step_that_failed_or_did_not_run_fails_the_whole() {
        let passed = || Step::of("fine", || Ok(true));
        assert!(summary(&[passed()]));
        assert!(!summary(&[passed(), Step::not_run("tests")]));
        assert!(!summary(&[Step::of("bad", || Ok(false)), passed()]));
        assert!(!summary(&[Step::of("broken", || anyhow::bail!("no disk"))]));
    }
}
