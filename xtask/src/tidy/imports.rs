//! Which module of the library may use which: worker → dispatch, operator, schema → statements → pure modules.

use std::collections::HashMap;

use super::{
    lexer, paths,
    tree::{Finding, Tree},
};

/// The modules of `src/` by rank. A module may use those of lower ranks, and the pure ones may use each other.
const RANKS: &[&[&str]] = &[
    &["error", "job", "job_row", "json", "outcome", "tenant", "timestamp"],
    &["executor", "statements"],
    &["connect", "dispatch", "job_filter", "schema"],
    &["client"],
    &["doctor", "operator", "queues"],
    &["bulk"],
    &["worker"],
];

/// The launcher stands apart: it knows errors only, and nobody knows it.
const APART: &str = "testing";

/// It names what it passes on, and is used by nobody inside.
const LIBRARY: &str = "src/lib.rs";

/// Uses of a module by one that it must not know of.
pub(super) fn against_the_direction(tree: &Tree) -> Vec<Finding> {
    let library = tree.files.iter().find(|file| file.path == LIBRARY);
    let passed_on =
        library.map(|file| passed_on(&lexer::rust(&file.text).code)).unwrap_or_default();
    let mut found = Vec::new();
    for file in tree.below("src/", "rs").filter(|file| file.path != LIBRARY) {
        let user = module_of(&file.path);
        if rank(user).is_none() && user != APART {
            found.push(
                file.finding(
                    0,
                    format!("module `{user}` has no rank in xtask/src/tidy/imports.rs"),
                ),
            );
            continue;
        }
        let code = lexer::rust(&file.text).code;
        for (line, name) in paths::names_of_root(&code, paths::depth_of(&file.path)) {
            let used = passed_on.get(&name).unwrap_or(&name);
            if !may_use(user, used) {
                found.push(file.finding(line, format!("`{user}` must not use `{used}`")));
            }
        }
    }
    found
}

/// `src/worker/claimer.rs` → `worker`.
fn module_of(path: &str) -> &str {
    let inside = path.trim_start_matches("src/");
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

fn may_use(user: &str, used: &str) -> bool {
    match (rank(user), rank(used)) {
        _ if user == used => true,
        _ if user == APART => used == "error",
        (Some(user), Some(used)) => used < user || (used == 0 && user == 0),
        _ => false,
    }
}

/// What `lib.rs` passes on, by the name that it has there, and the module that it comes from.
fn passed_on(code: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for text in code.split("pub use ").skip(1) {
        let text = text.split(';').next().unwrap_or(text);
        let Some((module, items)) = text.split_once("::") else { continue };
        for item in items.split([',', '{', '}']) {
            let name = item.split_whitespace().last().and_then(|path| path.rsplit("::").next());
            found.extend(name.map(|name| (name.to_owned(), module.trim().to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Source, found};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        found(against_the_direction, path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn uses_against_the_direction_are_found() {
        assert_eq!(
            lines("src/dispatch.rs", "use crate::error::Error;\nuse crate::worker::Worker;\n"),
            [2]
        );
        assert_eq!(lines("src/tenant.rs", "fn f() { crate::statements::x(); }\n"), [1]);
        assert_eq!(lines("src/worker/mod.rs", "use crate::testing::PrivateServer;\n"), [1]);
        assert_eq!(
            lines(
                "src/testing/server.rs",
                "use crate::{\n    client::{Client, X},\n    error::Error,\n};\n"
            ),
            [1]
        );
    }

    /// The lines of a file beside a library that passes things on.
    fn lines_beside(library: &str, path: &str, text: &str) -> Vec<usize> {
        let source =
            |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let tree = Tree { files: vec![source(LIBRARY, library), source(path, text)] };
        against_the_direction(&tree).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn what_the_library_passes_on_is_of_the_module_that_it_comes_from() {
        let library = "pub use error::{Error, Result};\npub use schema::{\n    Options, script as migration_script,\n};\npub use worker::Worker;\n";
        let text =
            "use crate::{Error, Worker};\nfn f() -> crate::Worker { crate::migration_script() }\n";
        assert_eq!(lines_beside(library, "src/dispatch/mod.rs", text), [1, 2, 2]);
        assert_eq!(lines_beside(library, "src/testing/server.rs", text), [1, 2, 2]);
        assert!(lines_beside(library, "src/worker/mod.rs", text).is_empty());
        assert!(lines_beside(library, "src/job.rs", "use crate::Result;\n").is_empty());
    }

    #[test]
    fn the_way_up_by_super_is_followed() {
        assert_eq!(lines("src/job.rs", "use super::worker::Worker;\n"), [1]);
        assert_eq!(lines("src/dispatch/batch.rs", "use super::super::client;\n"), [1]);
        assert_eq!(lines("src/job.rs", "use super::*;\n"), [1], "everything");
        assert!(lines("src/worker/mod.rs", "use super::client::Client;\n").is_empty());
        assert!(lines("src/worker/hold.rs", "use super::testing::x;\n").is_empty(), "its own");
    }

    #[test]
    fn uses_along_the_direction_are_let_be() {
        let text =
            "//! See [`crate::worker`].\nuse crate::{client::{self, Client}, error::Result};\n";
        assert!(lines("src/worker/claimer.rs", text).is_empty());
        assert!(lines("src/job_row.rs", "use crate::tenant::Tenant;\n").is_empty());
    }

    #[test]
    fn a_module_without_a_rank_is_found() {
        assert_eq!(lines("src/novel.rs", ""), [0]);
    }
}
