//! `cargo xtask golden`: writes the golden file of the catalog anew.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{root, server::RunServer, step::Step, suite::cargo};

/// The test that compares the catalog with the file; told so by [`UPDATE`], it writes the file instead.
const TEST: &str = "golden::the_catalog_is_as_written_down";
const UPDATE: &str = "UPDATE_GOLDEN";
const FILE: &str = "sql/schema.golden.sql";

/// Has the test write the file; says whether it did.
pub(crate) fn run() -> anyhow::Result<bool> {
    let server = RunServer::start()?;
    let written = rewrite(&root().join(FILE), || {
        let mut test =
            cargo(&["test", "--package", "fairclaim", "--test", "it", "--", "--exact", TEST]);
        test.env(UPDATE, "1");
        server.known_to(&mut test);
        Step::tests("golden", &mut test).passed()
    });
    server.end(false)?;
    let written = written?;
    println!(
        "{}",
        if written { format!("wrote {FILE}") } else { format!("{FILE} was not written") }
    );
    Ok(written)
}

/// Takes the file away, so that only one that the test really wrote is there afterwards. Puts it back if there is none.
fn rewrite(file: &Path, test: impl FnOnce() -> bool) -> anyhow::Result<bool> {
    let before = fs::read(file).ok();
    if before.is_some() {
        fs::remove_file(file).with_context(|| format!("cannot replace {}", file.display()))?;
    }
    let passed = test();
    let written = file.exists();
    if let Some(before) = before.filter(|_| !(passed && written)) {
        fs::write(file, before).with_context(|| format!("cannot restore {}", file.display()))?;
    }
    Ok(passed && written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of its own for each test.
    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("{name}_{}.sql", std::process::id()))
    }

    #[test]
    fn a_file_that_the_test_writes_takes_the_place_of_the_old_one() {
        let file = file("written");
        for _ in 0..2 {
            assert!(rewrite(&file, || fs::write(&file, "new").is_ok()).expect("a file"));
            assert_eq!(fs::read(&file).expect("a file"), b"new");
        }
        fs::remove_file(&file).expect("a file");
    }

    #[test]
    fn a_test_that_writes_nothing_or_fails_leaves_the_old_file_and_is_a_failure() {
        let file = file("not_written");
        assert!(!rewrite(&file, || true).expect("no file"), "there is none before or after");
        fs::write(&file, "old").expect("a file");
        assert!(!rewrite(&file, || true).expect("a file"), "nothing was written");
        assert!(
            !rewrite(&file, || fs::write(&file, "half").is_err()).expect("a file"),
            "it failed"
        );
        assert_eq!(fs::read(&file).expect("a file"), b"old");
        fs::remove_file(&file).expect("a file");
    }
}
