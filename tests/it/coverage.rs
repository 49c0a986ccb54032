//! Nothing of the protocol is without a test: every function that somebody may call, and every code of the table of errors, is
//! named by one.

use std::{fs, path::Path};

use crate::support::TestDb;

/// This file, which only looks.
const SELF: &str = "tests/it/coverage.rs";

/// What the tests are written in, without comments.
fn texts(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path != root.join(SELF)
        {
            let text = fs::read_to_string(&path).expect("a file");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.extend(code.map(str::to_owned));
        }
    }
}

fn all_texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["tests", "cli/tests"] {
        texts(root, &root.join(folder), &mut found);
    }
    found
}

/// Whether a line has this word, and not only as a part of a longer one.
fn is_named(lines: &[String], word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    lines.iter().any(|line| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(part_of_word)
                && !line[at + word.len()..].starts_with(part_of_word)
        })
    })
}

/// The codes in the first column of the table of errors.
fn codes(readme: &str) -> Vec<&str> {
    let (_, table) = readme.split_once("## Errors").expect("the table of errors");
    let table = table.split("\n## ").next().unwrap_or(table);
    let rows =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| SQLSTATE"));
    let first = rows.filter_map(|line| line.split('|').nth(1));
    first.flat_map(|column| column.split(',').map(str::trim)).collect()
}

#[tokio::test]
async fn every_function_of_the_protocol_and_every_error_code_is_named_by_a_test() {
    let lines = all_texts();
    let db = TestDb::new().await;
    let sql = "select distinct p.proname::text from pg_proc p, pg_roles r
                where p.pronamespace = 'fairclaim'::regnamespace and r.rolname like 'fairclaim\\_%'
                  and r.rolname <> 'fairclaim_owner' and not r.rolsuper and has_function_privilege(r.oid, p.oid, 'execute')";
    let rows = db.owner().await.query(sql, &[]).await.expect("functions");
    let functions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(functions.len() >= 15, "somebody may call these only: {functions:?}");
    let codes = codes(include_str!("../../sql/README.md"));
    assert!(codes.contains(&"JQ001") && codes.contains(&"40P01"), "{codes:?}");

    let words = functions.iter().map(String::as_str).chain(codes);
    let missing: Vec<&str> = words.filter(|word| !is_named(&lines, word)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

#[test]
fn a_name_that_no_test_has_is_missed() {
    let lines = all_texts();
    assert!(lines.len() > 5_000, "{} lines of tests", lines.len());
    assert!(is_named(&lines, "claim_jobs"));
    for word in ["laim_jobs", "claim_job_", "dispatch_nothing", "JQ999"] {
        assert!(!is_named(&lines, word), "{word}");
    }
    assert_eq!(
        codes(
            "## Errors\n\n| SQLSTATE | x |\n|---|---|\n| A1 | y |\n| B2, B3 | z |\n\n## Files\n| C4 |"
        ),
        ["A1", "B2", "B3"]
    );
}
