//! The queue beside the model, with 200,000 random steps: as many programs at once as the machine has processors.

use std::{env, thread};

use crate::model::{Plan, run};

/// Unless another number is asked for.
const STEPS: usize = 200_000;
/// Of one case: longer than in the everyday run, so that more stands in the tables.
const CASE: usize = 400;

#[test]
#[ignore = "takes minutes: cargo xtask test --slow"]
fn two_hundred_thousand_steps_are_what_the_model_allows() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed: u64 = number("FAIRCLAIM_MODEL_SEED").unwrap_or_else(rand::random);
    let wanted = number("FAIRCLAIM_MODEL_STEPS")
        .map_or(STEPS, |steps| usize::try_from(steps).expect("a count"));
    println!("FAIRCLAIM_MODEL_SEED={seed}");
    let programs = thread::available_parallelism().map_or(1, usize::from);
    let cases = wanted.div_ceil(CASE * programs);
    let running: Vec<_> = (0..programs as u64)
        .map(|n| {
            let plan = Plan {
                cases: u32::try_from(cases).expect("few"),
                steps: CASE,
                seed: seed ^ n,
                kept: Some(Plan::regressions()),
                shrink: 2_000,
            };
            thread::spawn(move || run(&plan, &[]))
        })
        .collect();
    let mut steps = 0;
    for program in running {
        let done = program.join().expect("a program").unwrap_or_else(|what| panic!("{what}"));
        println!("{done:?}");
        steps += done.steps;
    }
    assert!(steps >= wanted, "{steps} steps");
}
