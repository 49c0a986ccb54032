//! The queue beside the model: at least 2,000 random steps in every run.

use std::env;

use crate::model::{KINDS, Plan, run};

/// The same steps for everybody, unless they are asked for by another number.
const SEED: u64 = 20_261_125;

#[test]
fn every_answer_and_every_state_is_what_the_model_allows() {
    let seed =
        env::var("FAIRCLAIM_MODEL_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let plan = Plan { cases: 11, steps: 200, seed, kept: Some(Plan::regressions()), shrink: 400 };
    let done = run(&plan, &[]).unwrap_or_else(|what| panic!("{what}"));
    println!("{done:?}");
    assert!(done.steps >= 2_000, "{done:?}");
    assert!(done.claimed > 500 && done.jobs > 500, "steps that do little: {done:?}");
    for (kind, taken) in KINDS.iter().zip(done.kinds) {
        assert!(taken > 0, "no step of the kind {kind:?}: {done:?}");
    }
}
