//! `cargo xtask golden`: writes the golden file of the catalog anew.

use std::process::Command;

use anyhow::Context;

use crate::{root, server::RunServer};

/// Runs the test that compares the catalog with its golden file, told to write the file instead.
pub(crate) fn run() -> anyhow::Result<bool> {
    let server = RunServer::start()?;
    let mut test = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    test.current_dir(root())
        .args(["test", "--quiet", "--package", "fairclaim", "--test", "it", "golden::"])
        .env("UPDATE_GOLDEN", "1");
    server.known_to(&mut test);
    let status = test.status().context("cannot start cargo")?;
    server.end(false)?;
    println!(
        "{}",
        if status.success() {
            "wrote sql/schema.golden.sql"
        } else {
            "not written: the test failed"
        }
    );
    Ok(status.success())
}
