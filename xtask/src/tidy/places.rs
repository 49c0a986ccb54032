//! Paths of the machine that something was written on mean nothing to anybody else.

use super::tree::{Finding, Tree};

/// Starts of such paths. They are put together here so that this file has none.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp", "/fc/"),
    concat!("shared", "/DESIGN"),
    concat!("shared", "/references"),
    concat!(".lib", "rary/"),
];

/// Mentions of such places in any file.
pub(super) fn of_this_machine(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            for place in PLACES.iter().filter(|place| begins_in(line, place)) {
                found
                    .push(file.finding(number + 1, format!("`{place}` is a place of one machine")));
            }
        }
    }
    found
}

/// Whether a path that begins like this is in the line; in the middle of a longer path it is another folder.
fn begins_in(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn paths_of_a_machine_are_found_and_folders_of_the_repository_are_not() {
        let text = format!(
            "see {}main/x\nsee cli/src{}mod.rs\nsee ../{}.md\n",
            PLACES[0], PLACES[0], PLACES[3]
        );
        let lines: Vec<usize> =
            found(of_this_machine, "README.md", &text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 3]);
    }
}
