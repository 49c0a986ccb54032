//! Tests that take minutes: many jobs, killed processes, long transactions. `cargo xtask test --slow` runs them.

#[path = "../it/support/mod.rs"]
mod support;
