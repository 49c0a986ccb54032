//! Tests that take minutes: many jobs, killed processes, long transactions. `cargo xtask test --slow` runs them.

#[path = "../it/calls.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod calls;
#[path = "../it/lanes_load.rs"]
mod lanes_load;
mod lanes_stress;
#[path = "../it/model/mod.rs"]
mod model;
mod model_steps;
#[path = "../it/support/mod.rs"]
mod support;
