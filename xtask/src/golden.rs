//! `cargo xtask golden`: writes the files that are generated, committed and checked.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{root, server::RunServer, step::Step, suite::cargo};

/// The files, and the test that compares each; told so by [`UPDATE`], it writes the file instead.
const FILES: &[(&str, &str)] = &[
    ("sql/schema.golden.sql", "golden::the_catalog_is_as_written_down"),
    ("sql/fairclaim.sql", "golden::written::the_joined_script_is_as_written_down"),
    ("docs/reference/sql.md", "golden::reference::the_reference_is_as_written_down"),
];
const UPDATE: &str = "UPDATE_GOLDEN";

/// Has the tests write the files; says whether all did.
pub(crate) fn run() -> anyhow::Result<bool> {
    let server = RunServer::start()?;
    let mut all = true;
    for &(file, name) in FILES {
        let written = rewrite(&root().join(file), || {
            let mut test =
                cargo(&["test", "--package", "fairclaim", "--test", "it", "--", "--exact", name]);
            test.env(UPDATE, "1");
            server.known_to(&mut test);
            Step::tests("golden", &mut test).passed()
        });
        match written {
            Ok(true) => println!("wrote {file}"),
            Ok(false) => println!("{file} was not written"),
            Err(_) => {}
        }
        all &= matches!(written, Ok(true));
        if let Err(error) = written {
            server.end(false)?;
            return Err(error);
        }
    }
    server.end(false)?;
    Ok(all)
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
