//! The queue beside the model, with 200,000 random steps: as many programs at once as the machine has processors.

use std::{env, thread};

use crate::model::{Plan, run};

const STEPS: usize = 200_000;
/// Of one case: longer than in the everyday run, so that more stands in the tables.
const CASE: usize = 400;

#[test]
fn two_hundred_thousand_steps_are_what_the_model_allows() {
    let seed = env::var("FAIRCLAIM_MODEL_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    println!("FAIRCLAIM_MODEL_SEED={seed}");
    let programs = thread::available_parallelism().map_or(1, usize::from);
    let cases = STEPS.div_ceil(CASE * programs);
    let running: Vec<_> = (0..programs as u64)
        .map(|n| {
            let plan = Plan {
                cases: u32::try_from(cases).expect("few"),
                steps: CASE,
                seed: seed ^ n,
                // one of them is enough to replay what failed once
                kept: (n == 0).then(Plan::regressions),
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
    assert!(steps >= STEPS, "{steps} steps");
}
