//! `cargo xtask tidy`: what must not be in the repository. Each rule is a function from the tree to what it found.

mod floors;
mod size;
mod sql;
mod text;
mod tree;
mod width;

use tree::{Finding, Tree};

use crate::root;

/// A rule of the house.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    text::second_words,
    sql::other_clocks,
    sql::unlisted_files,
    sql::loose_settings,
    sql::beyond_ascii,
    sql::loose_literals,
    sql::function_files,
    sql::own_types,
    sql::role_names,
    width::wide_lines,
    text::sql_elsewhere,
    text::banned_crates,
    text::places_of_this_machine,
    size::too_long,
    floors::climbs,
];

/// Prints what the rules find in the repository; says whether that was nothing.
pub(crate) fn run() -> anyhow::Result<bool> {
    let tree = Tree::read(&root())?;
    for warning in size::rather_long(&tree) {
        println!("warning: {warning}");
    }
    let findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} files, {} rules, {} findings", tree.files.len(), RULES.len(), findings.len());
    Ok(findings.is_empty())
}
