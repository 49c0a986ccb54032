//! The behaviours once more, through a transaction pooler.

use std::process::Command;

use test_support::logins;
pub(crate) use test_support::pooler::Pooler;

/// Where the tests look for it (`crates/test-support/src/server.rs`).
const POOLER: &str = "FAIRCLAIM_TEST_POOLER";

/// Sessions of one login in one database: enough for the tests that keep several transactions open, fewer than the clients of
/// those that have many workers.
const SESSIONS: usize = 8;

/// Starts one before the server of the run.
pub(crate) fn start(superuser_url: &str) -> anyhow::Result<Pooler> {
    Pooler::start(superuser_url, logins::ALL, SESSIONS).map_err(anyhow::Error::msg)
}

/// Tells a command to test through it.
pub(crate) fn known_to(pooler: &Pooler, command: &mut Command) {
    command.env(POOLER, pooler.place());
}
