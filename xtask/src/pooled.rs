//! The behaviours once more, through a transaction pooler.

#[path = "../../tests/it/support/logins.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
mod logins;
#[path = "../../tests/it/support/pooler.rs"]
#[allow(unreachable_pub, reason = "shared with the tests")]
mod pooler;

use std::process::Command;

pub(crate) use pooler::Pooler;

/// The profile of nextest for it.
pub(crate) const PROFILE: &str = "pooled";

/// Where the tests look for it (`tests/it/support/server.rs`).
const POOLER: &str = "FAIRCLAIM_TEST_POOLER";

/// Sessions of one login in one database: enough for the tests that keep several transactions open, fewer than the clients of
/// those that have many workers.
const SESSIONS: usize = 8;

/// How the names of the tests begin that cannot run so, for the runner of cargo. The reasons stand in .config/nextest.toml.
pub(crate) const LEFT_OUT: &[&str] = &[
    "contract_by_hand::line_9_",
    "dispatch_lines::only_producers_",
    "doctor::",
    "error_codes::a_connection_that_is_",
    "golden::",
    "installs::",
    "interleavings::",
    "pooled::",
    "private_server::",
    "tls::",
    "turns::bound::",
    "turns::unhandled::",
    "worker::claims::a_dispatch_wakes_",
    "worker::connections::a_worker_on_the_pool_",
    "worker::connections::what_ends_while_the_server_is_down_",
];

/// Starts one before the server of the run.
pub(crate) fn start(superuser_url: &str) -> anyhow::Result<Pooler> {
    Pooler::start(superuser_url, logins::ALL, SESSIONS).map_err(anyhow::Error::msg)
}

/// Tells a command to test through it.
pub(crate) fn known_to(pooler: &Pooler, command: &mut Command) {
    command.env(POOLER, pooler.place());
}
