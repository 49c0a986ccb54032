//! Files that are generated, committed and checked.

use std::{fs, path::Path};

use fairclaim::{MigrateOptions, migration_script};

use super::diff::diff;

/// Set by `cargo xtask golden`: the file is written instead of compared.
const UPDATE: &str = "UPDATE_GOLDEN";

/// Compares a file of the repository with what it should say, or writes it.
pub(super) fn assert_as_written(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, found).expect(file);
        return;
    }
    let written = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{file}: {error}\n`cargo xtask golden` writes it"));
    assert!(
        written == found,
        "{file} is not what it should be (-: in the file, +: what it should say)\n{}\
         if that is meant, `cargo xtask golden` rewrites the file; read its diff, since people review it",
        diff(&written, found)
    );
}

/// People who install without a compiler take this file.
#[test]
fn the_joined_script_is_as_written_down() {
    assert_as_written("sql/fairclaim.sql", &migration_script(&MigrateOptions::default()));
}
