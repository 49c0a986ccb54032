//! The queue as a plain program, and random steps that are taken with it and with a real database at once. Whatever the
//! database answers must be what the program allows, and after every step both must be in the same state.
//!
//! The steps are drawn before anything runs, and name jobs and leases by their place in a list; which job a claim gives is the
//! database's choice, and the program follows it. So one seed gives the same steps every time, but the choices of the
//! database (the turn of a claim without a cursor, the length of a pause) are its own.

#![allow(dead_code, reason = "each test binary uses its own part")]

mod audit;
mod calls;
mod claims;
mod database;
mod drain;
mod limits;
mod play;
mod prune;
mod rules;
mod session;
mod settles;
mod state;
mod steps;

use std::{cell::RefCell, fmt::Write, path::PathBuf, sync::atomic::Ordering};

use proptest::test_runner::{
    Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner,
};
use proptest_state_machine::ReferenceStateMachine;
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::{database::Mutant, steps::KINDS};
use self::{
    play::Game,
    steps::{Step, Steps},
};

/// How far to go, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How often to start afresh.
    pub(crate) cases: u32,
    /// How many steps each time.
    pub(crate) steps: usize,
    /// Where the random numbers start.
    pub(crate) seed: u64,
    /// Where seeds of cases that failed are kept; they are replayed first.
    pub(crate) kept: Option<PathBuf>,
    /// How often to look for a shorter case that fails.
    pub(crate) shrink: u32,
}

impl Plan {
    /// Where the cases are kept that failed once.
    pub(crate) fn regressions() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/model/regressions.txt"))
    }

    fn config(&self) -> Config {
        let kept = self.kept.as_ref().map(|path| {
            // a path in a configuration lives as long as the program
            let path: &'static str = Box::leak(path.display().to_string().into_boxed_str());
            Box::new(FileFailurePersistence::Direct(path)) as Box<_>
        });
        Config {
            cases: self.cases,
            failure_persistence: kept,
            rng_seed: RngSeed::Fixed(self.seed),
            max_shrink_iters: self.shrink,
            max_shrink_time: 120_000,
            ..Config::default()
        }
    }
}

/// What was done, by kind of step, and how many jobs there were.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) steps: usize,
    pub(crate) jobs: usize,
    pub(crate) claimed: usize,
    /// How often each kind of step was taken; see [`KINDS`].
    pub(crate) kinds: [usize; KINDS.len()],
}

/// Takes the steps of a plan, on a database in which these mistakes were made.
pub(crate) fn run(plan: &Plan, mutants: &[Mutant]) -> Result<Done, String> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let game = RefCell::new(runtime.block_on(Game::set_up(mutants)));
    let mut runner = TestRunner::new(plan.config());
    let strategy = Steps::sequential_strategy(plan.steps..=plan.steps);
    let result = runner.run(&strategy, |(_, steps, seen)| {
        let mut game = game.borrow_mut();
        runtime.block_on(game.begin());
        for step in &steps {
            // without it, a list that is not shortened could not be shown
            if let Some(seen) = seen.as_ref().filter(|_| plan.shrink > 0) {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            take(&runtime, &mut game, step)?;
        }
        runtime.block_on(game.drain()).map_err(TestCaseError::fail)
    });
    let done = game.borrow().done.clone();
    result.map(|()| done).map_err(|error| told(plan, &error))
}

fn take(runtime: &Runtime, game: &mut Game, step: &Step) -> Result<(), TestCaseError> {
    runtime
        .block_on(game.take(step))
        .map_err(|what| TestCaseError::fail(format!("{what}\n  at {step:?}")))
}

/// The shortest list of steps that fails, and how to take them again.
fn told<S, C>(plan: &Plan, error: &TestError<(S, Vec<Step>, C)>) -> String {
    match error {
        TestError::Fail(reason, (_, steps, _)) => {
            let mut text = format!("seed {}: {reason}\nafter these steps:\n", plan.seed);
            for (n, step) in steps.iter().enumerate() {
                writeln!(text, "{:>4} {step:?}", n + 1).expect("into memory");
            }
            text + "FAIRCLAIM_MODEL_SEED=<seed> draws the same steps again"
        }
        TestError::Abort(reason) => format!("seed {}: {reason}", plan.seed),
    }
}
