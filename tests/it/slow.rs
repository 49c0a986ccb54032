//! Tests that take minutes: many jobs, many steps of the model. `cargo xtask test --slow` runs them.

mod lanes_stress;
mod limits;
mod model_steps;
