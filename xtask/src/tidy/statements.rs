//! SQL is written where a reader looks for it.

use super::{
    lexer,
    tree::{Finding, Tree, without_tests},
};

/// Where Rust may hold SQL: the page of statements, what assembles the migration, the launcher of private servers, and
/// what measures or verifies from outside.
const HOMES: &[&str] =
    &["src/statements", "src/schema/", "src/testing/", "cli/src/bench", "cli/src/demo"];

/// How a statement begins. English sentences begin with some of the verbs too, so the next word counts.
const STARTS: &[&str] = &[
    "select ",
    "with ",
    "insert into ",
    "delete from ",
    "update fairclaim",
    "truncate ",
    "lock table ",
    "create table ",
    "create role ",
    "create schema ",
    "create function ",
    "create or replace ",
    "create database ",
    "alter table ",
    "alter role ",
    "alter database ",
    "drop table ",
    "drop schema ",
    "drop database ",
    "grant fairclaim",
    "set role ",
    "set local ",
    "set session ",
    "reset role",
    "listen ",
    "begin isolation",
];

/// Texts of SQL in Rust that are not where they belong.
pub(super) fn sql_elsewhere(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("src/", "rs").chain(tree.below("cli/src/", "rs")) {
        if file.is_tests() || HOMES.iter().any(|home| file.path.starts_with(home)) {
            continue;
        }
        for (line, string) in lexer::rust(without_tests(&file.text)).strings {
            if is_sql(&string) {
                found.push(file.finding(line, "SQL belongs into src/statements.rs"));
            }
        }
    }
    found
}

fn is_sql(string: &str) -> bool {
    let text = string.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    STARTS.iter().filter(|start| text.starts_with(*start)).any(|start| match *start {
        "select " => text.contains(" from ") || text.contains('(') || text.contains('$'),
        "with " => text.contains(" as (") || text.contains(" as materialized"),
        "listen " => text.split(' ').count() == 2,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn statements_outside_of_their_homes_are_found() {
        let text = "fn f() {\n    client.query(\"\n      SELECT id\n FROM fairclaim_internal.job\", &[]);\n    g(\"listen fairclaim\");\n}\n";
        let lines: Vec<usize> =
            found(sql_elsewhere, "src/worker/claimer.rs", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [2, 5]);
        assert!(found(sql_elsewhere, "src/statements.rs", text).is_empty());
    }

    #[test]
    fn sentences_comments_and_tests_are_let_be() {
        let text = "// select 1 from x\nf(\"select a queue\"); f(\"with pleasure\"); f(\"grant the role\"); f(\"listen to this and that\");\n#[cfg(test)]\nmod tests { const A: &str = \"delete from fairclaim_internal.job\"; }\n";
        assert!(found(sql_elsewhere, "cli/src/command/jobs.rs", text).is_empty());
    }
}
