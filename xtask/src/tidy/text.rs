//! Rules that are a plain search for a text.

use super::tree::{Finding, Source, Tree, without_tests};

/// Words that say again what another one says, in lower case; and the word of this project.
const SECOND_WORDS: &[(&str, &str)] = &[
    ("enqueu", "dispatch"),
    ("dequeu", "claim"),
    ("nack", "settle"),
    ("ack_", "settle"),
    ("dead_letter", "failed"),
    ("deadletter", "failed"),
    ("consumer", "worker"),
    ("visibility_timeout", "lease"),
    ("org_id", "tenant_id"),
    ("organization_id", "tenant_id"),
    ("job_kind", "type"),
    ("task_id", "job id"),
    ("task_type", "type"),
    ("task_queue", "queue"),
];

/// Names in code that use another word for something that has one. Comments and texts for people are
/// searched too: they have no reason to confuse their readers.
pub(super) fn second_words(tree: &Tree) -> Vec<Finding> {
    in_lines(tree, is_code, |line| {
        let line = line.to_lowercase();
        let found = SECOND_WORDS.iter().find(|(word, _)| holds_start(&line, word));
        found.map(|(word, instead)| format!("`{word}` has the word `{instead}` here"))
    })
}

/// Starts of paths that mean nothing on another machine. They are put together here so that this
/// file has none.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp", "/fc/"),
    concat!("shared", "/DESIGN"),
    concat!("shared", "/references"),
    concat!(".lib", "rary/"),
];

/// Paths of the machine that something was written on.
pub(super) fn places_of_this_machine(tree: &Tree) -> Vec<Finding> {
    // in the middle of a longer path it is another folder
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '}');
    in_lines(
        tree,
        |_| true,
        |line| {
            let begins = |place: &&&str| {
                line.match_indices(**place).any(|(at, _)| !line[..at].ends_with(joins))
            };
            PLACES.iter().find(begins).map(|place| format!("`{place}` is a place of one machine"))
        },
    )
}

/// Where the library may hold SQL: the pages of statements, and what assembles the migration.
const HOMES: &[&str] = &["src/protocol/statements", "src/schema/"];

/// How SQL of ours names what it uses.
const SCHEMAS: [&str; 2] = ["fairclaim.", "fairclaim_internal."];

/// SQL in the library that is not where a reader looks for it.
pub(super) fn sql_elsewhere(tree: &Tree) -> Vec<Finding> {
    let looked_at = |file: &Source| {
        file.path.starts_with("src/")
            && file.has_extension("rs")
            && !file.is_tests()
            && !HOMES.iter().any(|home| file.path.starts_with(home))
    };
    in_lines(tree, looked_at, |line| {
        // advice may quote a statement; a statement begins its text or its line
        let verbs = ["select ", "insert ", "update ", "delete ", "from ", "join "];
        let lower = line.to_lowercase();
        let begins = |verb: &&str| {
            lower.trim_start().starts_with(*verb) || lower.contains(&format!("\"{verb}"))
        };
        let is_sql =
            SCHEMAS.iter().any(|schema| lower.contains(schema)) && verbs.iter().any(begins);
        is_sql.then(|| "SQL belongs into src/protocol/statements".to_owned())
    })
}

/// Crates that `deny.toml` bans, in the lock file: this needs no tool. And sqlx in the manifest of
/// the library, whose driver is tokio-postgres; adapters in crates of their own may have it.
pub(super) fn banned_crates(tree: &Tree) -> Vec<Finding> {
    let text = |path: &str| tree.files.iter().find(|file| file.path == path);
    let bans = text("deny.toml").map_or("", |file| &file.text);
    let banned: Vec<&str> =
        bans.split("{ crate = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    in_lines(
        tree,
        |file| matches!(file.path.as_str(), "Cargo.lock" | "Cargo.toml"),
        |line| {
            let name = line.strip_prefix("name = \"").map(|rest| rest.trim_end_matches('"'));
            let found = name.filter(|name| banned.contains(name));
            let sqlx = line.starts_with("sqlx").then_some("sqlx");
            found.or(sqlx).map(|name| format!("crate `{name}`: deny.toml says why not"))
        },
    )
}

/// What a search of some files by lines finds; tests at the end of a Rust file are left out.
fn in_lines(
    tree: &Tree,
    looked_at: impl Fn(&Source) -> bool,
    fault: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| looked_at(file)) {
        for (number, line) in without_tests(&file.text).lines().enumerate() {
            found.extend(fault(line).map(|what| file.finding(number + 1, what)));
        }
    }
    found
}

/// Code of ours; the benchmarks of others speak their language, and this file has to name the words.
fn is_code(file: &Source) -> bool {
    const FOLDERS: &[&str] = &["sql/", "src/", "cli/", "crates/", "tests/", "xtask/", "bench/"];
    FOLDERS.iter().any(|folder| file.path.starts_with(folder))
        && (file.has_extension("rs") || file.has_extension("sql"))
        && !file.path.starts_with("bench/peers/")
        && !file.path.ends_with("tidy/text.rs")
}

/// Whether a word of the line, or a part of a name, begins like this.
fn holds_start(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| !line[..at].ends_with(char::is_alphanumeric))
}

/// An SQL text without its comments, on the same lines.
pub(super) fn sql_code(text: &str) -> String {
    let code = text.lines().map(|line| {
        let in_text = |at: usize| line[..at].matches('\'').count() % 2 == 1;
        let comment = line.match_indices("--").map(|(at, _)| at).find(|at| !in_text(*at));
        &line[..comment.unwrap_or(line.len())]
    });
    code.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    fn lines(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        found(rule, path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn second_words_are_found_at_the_start_of_a_part_of_a_name() {
        let text = "fn f() {}\nfn enqueue_job() {}\nstruct DeadLetters;\nback_packs, attack\n";
        assert_eq!(lines(second_words, "src/protocol/dispatch.rs", text), [2, 3]);
        assert_eq!(lines(second_words, "crates/bench/src/load.rs", "fn bulk_enqueue()\n"), [1]);
        assert!(lines(second_words, "bench/peers/river.rs", text).is_empty());
        assert!(lines(second_words, "docs/guide.md", text).is_empty());
    }

    #[test]
    fn paths_of_a_machine_are_found_and_folders_of_the_repository_are_not() {
        let (work, design) = (PLACES[0], PLACES[3]);
        let text = format!("see {work}main/x\nsee cli/src{work}mod.rs\nsee ../{design}.md\n");
        assert_eq!(lines(places_of_this_machine, "README.md", &text), [1, 3]);
    }

    #[test]
    fn statements_outside_of_their_homes_are_found() {
        let text = "query(\"SELECT id FROM fairclaim_internal.job\");\n// select fairclaim.tick()\nread(\"fairclaim.toml\");\n";
        assert_eq!(lines(sql_elsewhere, "src/worker.rs", text), [1]);
        assert!(lines(sql_elsewhere, "src/protocol/statements.rs", text).is_empty());
    }

    #[test]
    fn what_deny_toml_bans_is_found_in_the_lock_file() {
        let source =
            |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let tree = Tree {
            files: vec![
                source("deny.toml", "deny = [\n    { crate = \"chrono\", reason = \"\" },\n]\n"),
                source("Cargo.lock", "name = \"chronology\"\nname = \"chrono\"\n \"chrono\",\n"),
                source("Cargo.toml", "[dependencies]\nsqlx = \"0.8\"\n"),
            ],
        };
        let found: Vec<usize> = banned_crates(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(found, [2, 2]);
    }

    #[test]
    fn comments_of_sql_are_left_out_and_texts_are_not() {
        assert_eq!(sql_code("select 'a--b' -- c\n-- d\nselect 1"), "select 'a--b' \n\nselect 1");
    }
}
