//! Nothing of the protocol is without a test: every function that somebody may call is called by one, and every code of the
//! table of errors is named by one. Codes that nothing raises yet are listed.

use std::{fs, path::Path};

use crate::support::TestDb;

/// This file, which only looks.
const SELF: &str = "tests/it/coverage.rs";

/// Codes that no function raises, but the library: where, and how.
const OF_THE_LIBRARY: &[(&str, &str, &str)] = &[
    ("JQ001", "src/worker/attempt.rs", "ErrorKind::LeaseLost"),
    ("JQ006", "src/schema/script.rs", "using errcode = 'JQ006'"),
];

/// Codes that have a place in the protocol and a variant in the library, and that nothing raises yet.
const ONLY_MAPPED: &[&str] = &[];

/// The lines of the files of a folder that end so, without comments.
fn texts(folder: &Path, ending: &str, comment: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts(&path, ending, comment, found);
        } else if path.extension().is_some_and(|extension| extension == ending)
            && path != root().join(SELF)
        {
            let text = fs::read_to_string(&path).expect("a file");
            let code = text.lines().filter(|line| !line.trim_start().starts_with(comment));
            found.extend(code.map(str::to_owned));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the tests are written in.
fn all_texts() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["tests", "cli/tests", "crates/test-support/src"] {
        texts(&root().join(folder), "rs", "//", &mut found);
    }
    found
}

/// Whether a line calls this function, and does not only make, drop or describe it.
fn is_called(lines: &[String], function: &str) -> bool {
    let call = format!("fairclaim.{function}(");
    lines.iter().any(|line| {
        line.match_indices(&call).any(|(at, _)| !line[..at].trim_end().ends_with("function"))
    })
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
async fn every_function_of_the_protocol_is_called_by_a_test_and_every_error_code_named_by_one() {
    let lines = all_texts();
    let db = TestDb::new().await;
    let sql = "select distinct p.proname::text from pg_proc p, pg_roles r
                where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and r.rolname like 'fairclaim\\_%'
                  and r.rolname <> 'fairclaim_owner' and not r.rolsuper and has_function_privilege(r.oid, p.oid, 'execute')";
    let rows = db.owner().await.query(sql, &[]).await.expect("functions");
    let functions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(functions.len() >= 15, "somebody may call these only: {functions:?}");
    let uncalled: Vec<&str> =
        functions.iter().map(String::as_str).filter(|name| !is_called(&lines, name)).collect();
    assert!(uncalled.is_empty(), "no test calls {uncalled:?}");

    let codes = codes(include_str!("../../sql/README.md"));
    assert!(codes.contains(&"JQ001") && codes.contains(&"40P01"), "{codes:?}");
    let missing: Vec<&str> = codes.into_iter().filter(|word| !is_named(&lines, word)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

/// A code that is raised from now on leaves the list, and needs a test that provokes it.
#[test]
fn a_code_of_the_protocol_that_nothing_raises_is_listed() {
    let mut sql = Vec::new();
    texts(&root().join("sql"), "sql", "--", &mut sql);
    let codes = codes(include_str!("../../sql/README.md"));
    let ours = codes.iter().filter(|code| code.starts_with("JQ")).copied();
    let raised = |code: &str| sql.iter().any(|line| line.contains(&format!("'{code}'")));
    let silent: Vec<&str> = ours.filter(|code| !raised(code)).collect();
    for (code, file, text) in OF_THE_LIBRARY {
        let source = fs::read_to_string(root().join(file)).expect(file);
        assert!(source.contains(text), "{file} does not raise {code}");
    }
    let of_the_library = |code: &&str| OF_THE_LIBRARY.iter().any(|(known, _, _)| known == code);
    let by_nobody: Vec<&str> = silent.into_iter().filter(|code| !of_the_library(code)).collect();
    assert_eq!(by_nobody, ONLY_MAPPED);
}

#[test]
fn a_name_that_no_test_has_is_missed() {
    let lines = all_texts();
    assert!(lines.len() > 5_000, "{} lines of tests", lines.len());
    assert!(is_named(&lines, "claim_jobs") && is_called(&lines, "claim_jobs"));
    let line = |text: &str| is_called(&[text.to_owned()], "prune");
    assert!(line("select * from fairclaim.prune()") && !line("drop function fairclaim.prune()"));
    assert!(!line("fairclaim.prune") && !line("pg_temp.fairclaim.prunes()"));
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
