//! A file that is longer than a few screens has more than one noun in it.

use super::tree::{Finding, Source, Tree};

/// From here on it is said.
const LONG: usize = 400;
/// From here on it must not be.
const TOO_LONG: usize = 600;
/// The tables of a version are one file, which never changes once it is released.
const MIGRATION: usize = 900;

/// Files beyond the limit.
pub(super) fn too_long(tree: &Tree) -> Vec<Finding> {
    longer_than(tree, TOO_LONG)
}

/// Files that come near it.
pub(super) fn rather_long(tree: &Tree) -> Vec<Finding> {
    let mut found = longer_than(tree, LONG);
    found.retain(|finding| !too_long(tree).contains(finding));
    found
}

fn longer_than(tree: &Tree, limit: usize) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| is_written(file))
        .map(|file| (file, file.text.lines().count()))
        .filter(|(file, lines)| {
            *lines > if file.path.starts_with("sql/migrations/") { MIGRATION } else { limit }
        })
        .map(|(file, lines)| {
            file.finding(0, format!("{lines} lines; the limit is {TOO_LONG}, better under {LONG}"))
        })
        .collect()
}

/// Source that a person writes.
fn is_written(file: &Source) -> bool {
    ["rs", "sql", "ts", "py"].iter().any(|extension| file.has_extension(extension))
        && !file.path.contains(".golden.")
        && file.path != "sql/fairclaim.sql"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn long_files_are_found_and_generated_ones_are_not() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_eq!(found(too_long, "src/a.rs", &lines(601)).len(), 1);
        assert!(found(too_long, "src/a.rs", &lines(600)).is_empty());
        assert_eq!(found(rather_long, "src/a.rs", &lines(401)).len(), 1);
        assert!(found(rather_long, "src/a.rs", &lines(601)).is_empty(), "said once");
        assert!(found(too_long, "sql/schema.golden.sql", &lines(5000)).is_empty());
    }
}
