//! Rules for `sql/`.

use super::{
    text::sql_code,
    tree::{Finding, Source, Tree, without_tests},
};

/// Expressions that ask another clock than `fairclaim.clock()`, most of them for the start of the transaction.
const OTHER_CLOCKS: &[&str] = &[
    "now()",
    "'now'",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "transaction_timestamp",
    "statement_timestamp",
    "clock_timestamp",
    "timeofday",
];

/// Where the real clock is read: what makes ours, the list of migrations that is there before it, and the queue of the kind
/// that others write, which the benchmarks compare ours with.
const CLOCK_MAKERS: &[&str] = &[
    "sql/protocol/support/clock.sql",
    "sql/testing/clock.sql",
    "sql/migrations/bootstrap.sql",
    "crates/bench/src/classic.rs",
];

/// `clock()` is the one source of time: it can be replaced in tests, and a bare `now()` is the transaction's start.
pub(super) fn other_clocks(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let ours = |file: &&Source| !CLOCK_MAKERS.contains(&file.path.as_str());
    for file in tree.below("sql/", "sql").filter(ours) {
        if !is_generated(&file.path) {
            clocks_in(file, 1, &file.text, &mut found);
        }
    }
    let folders = ["src/", "cli/src/", "crates/bench/src/"];
    let rust = folders.iter().flat_map(|folder| tree.below(folder, "rs"));
    for file in rust.filter(ours).filter(|file| !file.is_tests()) {
        for (number, line) in without_tests(&file.text).lines().enumerate() {
            // a clock of Rust is clippy's business
            let line = line.replace("::now()", "");
            if !line.trim_start().starts_with("//") {
                clocks_in(file, number + 1, &line, &mut found);
            }
        }
    }
    found
}

/// Finds other clocks in a text of SQL that begins at a line of a file.
fn clocks_in(file: &Source, first: usize, text: &str, found: &mut Vec<Finding>) {
    for (number, line) in sql_code(text).to_lowercase().lines().enumerate() {
        for clock in OTHER_CLOCKS.iter().filter(|clock| has_word(line, clock)) {
            found.push(file.finding(first + number, format!("`{clock}`: ask fairclaim.clock()")));
        }
    }
}

/// Whether a file is made from the others.
pub(super) fn is_generated(path: &str) -> bool {
    path.ends_with(".golden.sql") || path == "sql/fairclaim.sql"
}

/// A file that is not listed is never installed.
pub(super) fn unlisted_files(tree: &Tree) -> Vec<Finding> {
    let list: String =
        tree.below("src/schema/files.rs", "rs").map(|file| file.text.as_str()).collect();
    let apart = |path: &str| {
        is_generated(path) || path.starts_with("sql/testing/") || path.starts_with("sql/examples/")
    };
    tree.below("sql/", "sql")
        .filter(|file| !apart(&file.path))
        .filter(|file| !list.contains(&format!("\"{}\"", file.path.trim_start_matches("sql/"))))
        .map(|file| file.finding(0, "not listed in src/schema/files.rs"))
        .collect()
}

/// What every definer function sets. On the caller's path it would run the caller's functions with the owner's rights; with the
/// caller's `row_security = off`, a habit of backups, it would refuse to work at all.
const DEFINER_SETTINGS: [&str; 2] =
    ["set search_path = pg_catalog, fairclaim_internal, pg_temp", "set row_security = on"];

/// A definer function that depends on settings of its caller.
pub(super) fn loose_settings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql").filter(|file| !is_generated(&file.path)) {
        let code = words(&sql_code(&file.text));
        for definition in code.split("create or replace function ").skip(1) {
            let head = definition.split(" as $").next().unwrap_or(definition);
            if !head.contains("security definer") {
                continue;
            }
            let name = head.split('(').next().unwrap_or(head);
            for setting in DEFINER_SETTINGS.iter().filter(|setting| !head.contains(**setting)) {
                found.push(
                    file.finding(0, format!("{name} is security definer without `{setting}`")),
                );
            }
        }
    }
    found
}

/// One function in a file of its name, with the comment that is its reference.
pub(super) fn function_files(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let schemas = [("sql/protocol/", "fairclaim"), ("sql/internal/", "fairclaim_internal")];
    let files = schemas
        .iter()
        .flat_map(|(folder, schema)| tree.below(folder, "sql").map(move |file| (file, *schema)));
    for (file, schema) in files {
        let code = words(&sql_code(&file.text));
        let created = code.matches("create function ").count()
            + code.matches("create or replace function ").count();
        if created != 1 {
            found.push(file.finding(0, format!("creates {created} functions; one each")));
        } else if !code.contains(&format!("function {schema}.{}(", file.stem())) {
            found.push(file.finding(0, format!("does not create {schema}.{}", file.stem())));
        }
        if !code.contains(&format!("comment on function {schema}.{}", file.stem())) {
            found.push(file.finding(0, "has no `comment on function`, which is its reference"));
        }
    }
    found
}

/// Enums and domains make operators that are not leakproof, and types that a driver has to look up.
pub(super) fn own_types(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql") {
        for (number, line) in sql_code(&file.text).to_lowercase().lines().enumerate() {
            let line = words(line);
            if ["create type ", "create domain ", " as enum"]
                .iter()
                .any(|start| line.contains(start))
            {
                found.push(file.finding(number + 1, "a type of our own: use a built-in one"));
            }
        }
    }
    found
}

/// Where a role may be named beside grants and policies: the function that knows them, what makes them or runs before it is
/// there, and the texts of the doctor that a login without a role of ours sends, which may call no function of ours.
const KNOW_ROLES: [&str; 6] = [
    "sql/internal/support/our_role.sql",
    "sql/access/roles.sql",
    "sql/migrations/bootstrap.sql",
    "sql/internal/doctor/findings_of_roles.sql",
    "sql/internal/doctor/findings_of_functions.sql",
    "sql/internal/doctor/findings_of_relations.sql",
];

/// What our roles are called after the prefix.
const ROLE_KINDS: [&str; 7] =
    ["owner", "worker", "producer", "tenant", "operator", "auditor", "observer"];

/// A role that is named elsewhere: another prefix for all roles must be a plain replacement in few places.
pub(super) fn role_names(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let elsewhere =
        |file: &&Source| !is_generated(&file.path) && !KNOW_ROLES.contains(&file.path.as_str());
    for file in tree.below("sql/", "sql").filter(elsewhere) {
        let mut first = 1;
        for statement in sql_code(&file.text).to_lowercase().split_inclusive(';') {
            for (number, line) in statement.lines().enumerate() {
                let role = ROLE_KINDS
                    .iter()
                    .map(|kind| format!("fairclaim_{kind}"))
                    .find(|role| has_word(line, role));
                if let Some(role) = role.filter(|_| !gives_rights(statement)) {
                    found.push(file.finding(
                        first + number,
                        format!("`{role}`: ask our_role(), unless it is a grant or a policy"),
                    ));
                }
            }
            first += statement.matches('\n').count();
        }
    }
    found
}

/// Whether a statement, or what it executes, is a grant or a policy.
fn gives_rights(statement: &str) -> bool {
    let statement = statement.trim_start();
    ["grant ", "revoke "].iter().any(|start| statement.starts_with(start))
        || statement.contains("create policy ")
}

/// A character beyond ASCII cannot be stored in every encoding that a database may have, and then nothing can be installed.
pub(super) fn beyond_ascii(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql") {
        for (number, line) in file.text.lines().enumerate().filter(|(_, line)| !line.is_ascii()) {
            let character = line.chars().find(|character| !character.is_ascii()).unwrap_or(' ');
            found.push(file.finding(number + 1, format!("`{character}` is no ASCII")));
        }
    }
    found
}

/// What a backslash in a plain literal means depends on the caller's standard_conforming_strings.
pub(super) fn loose_literals(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql").filter(|file| !is_generated(&file.path)) {
        for (number, line) in sql_code(&file.text).lines().enumerate() {
            // every second part of a line stands between quotes
            let parts: Vec<&str> = line.split('\'').collect();
            let loose = parts.iter().enumerate().skip(1).step_by(2).any(|(at, literal)| {
                literal.contains('\\') && !parts[at - 1].ends_with(['E', 'e'])
            });
            if loose {
                found.push(file.finding(
                    number + 1,
                    "a backslash in a plain literal: write E'...' or $r$...$r$",
                ));
            }
        }
    }
    found
}

/// The text in lower case with single blanks.
fn words(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line has the word by itself, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        let after = &line[at + word.len()..];
        !(line[..at].ends_with(joins) || word.ends_with(joins) && after.starts_with(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn every_other_clock_is_found_and_comments_are_not() {
        let text = "-- now() is said here\nselect now(), p_know(1), fairclaim.clock()\nwhere at < Current_Timestamp\n";
        let lines: Vec<usize> =
            found(other_clocks, "sql/views/x.sql", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [2, 3]);
        assert!(
            found(other_clocks, "sql/testing/clock.sql", "select clock_timestamp()").is_empty()
        );
    }

    #[test]
    fn other_clocks_are_found_in_the_sql_of_rust_and_its_code_is_let_be() {
        let text = "// now()\nlet at = Instant::now();\nlet sql = \"select 1\n  -- now()\n  where at < now()\";\nf(\"the queue has it now\");\n#[cfg(test)]\nmod tests { const A: &str = \"select now()\"; }\n";
        for path in
            ["src/protocol/statements.rs", "src/schema/script.rs", "crates/bench/src/wal.rs"]
        {
            let lines: Vec<usize> =
                found(other_clocks, path, text).iter().map(|f| f.line).collect();
            assert_eq!(lines, [5], "{path}");
        }
        assert!(found(other_clocks, "tests/it/ranges.rs", text).is_empty(), "tests look on");
    }

    #[test]
    fn a_file_that_is_not_listed_is_found() {
        let source =
            |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let tree = Tree {
            files: vec![
                source("src/schema/files.rs", "sql!(\"views/a.sql\"),"),
                source("sql/views/a.sql", ""),
                source("sql/views/b.sql", ""),
                source("sql/testing/clock.sql", ""),
            ],
        };
        let found: Vec<String> = unlisted_files(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["sql/views/b.sql"]);
    }

    #[test]
    fn a_definer_that_depends_on_its_callers_settings_is_found() {
        let good = "create or replace function fairclaim.a() returns int language sql security definer\nset search_path = pg_catalog, fairclaim_internal, pg_temp\nset row_security = on as $$ select 1 $$;";
        assert!(found(loose_settings, "sql/protocol/x/a.sql", good).is_empty());
        let bad = good.replace(", pg_temp", "");
        assert_eq!(found(loose_settings, "sql/protocol/x/a.sql", &bad).len(), 1);
        let second = format!("{good}\n{bad}");
        assert_eq!(found(loose_settings, "sql/testing/a.sql", &second).len(), 1);
        let worse = bad.replace("set row_security = on", "");
        assert_eq!(found(loose_settings, "sql/protocol/x/a.sql", &worse).len(), 2);
    }

    #[test]
    fn characters_beyond_ascii_are_found() {
        let text = "-- fine\n-- not \u{2026}\n";
        let lines: Vec<usize> =
            found(beyond_ascii, "sql/views/x.sql", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [2]);
    }

    #[test]
    fn a_backslash_in_a_plain_literal_is_found() {
        let text = "select E'\\n', $r$\\u0080$r$, 'a'\nselect 'a', '\\n' -- '\\n'\n";
        let lines: Vec<usize> =
            found(loose_literals, "sql/views/x.sql", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [2]);
    }

    #[test]
    fn a_function_file_holds_one_function_of_its_name_with_a_comment() {
        let good = "create or replace function fairclaim.a() returns int as $$ select 1 $$;\ncomment on function fairclaim.a() is 'One.';";
        assert!(found(function_files, "sql/protocol/x/a.sql", good).is_empty());
        assert_eq!(found(function_files, "sql/protocol/x/b.sql", good).len(), 2);
        assert_eq!(
            found(function_files, "sql/protocol/x/a.sql", &good.replace("comment", "-- comment"))
                .len(),
            1
        );
        assert_eq!(
            found(function_files, "sql/protocol/x/a.sql", &format!("{good}{good}")).len(),
            1
        );
    }

    #[test]
    fn a_role_that_is_named_elsewhere_is_found() {
        let text = "-- fairclaim_worker\ngrant usage on schema fairclaim\n  to fairclaim_worker;\ncreate policy p on t to fairclaim_tenant using (true);\nselect pg_has_role(caller(),\n  'fairclaim_auditor', 'USAGE'), current_setting('fairclaim.tenant_id'), fairclaim_owners();\n";
        let lines: Vec<usize> =
            found(role_names, "sql/views/x.sql", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [6]);
        for path in ["sql/internal/support/our_role.sql", "sql/fairclaim.sql"] {
            assert!(found(role_names, path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn types_of_our_own_are_found() {
        let text = "create  type fairclaim.status as enum ('a');\ncreate domain fairclaim.slug text;\n-- create type x\n";
        assert_eq!(found(own_types, "sql/migrations/0001_tables.sql", text).len(), 2);
    }
}
