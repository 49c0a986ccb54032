//! Which module of the library may use which: worker → dispatch, operator, schema → statements → pure modules.

use super::{
    lexer,
    tree::{Finding, Tree},
};

/// The modules of `src/` by rank. A module may use those of lower ranks, and the pure ones may use each other.
const RANKS: &[&[&str]] = &[
    &["error", "job", "job_row", "json", "outcome", "tenant", "timestamp"],
    &["statements"],
    &["connect", "dispatch", "schema"],
    &["client"],
    &["operator"],
    &["worker"],
];

/// The launcher stands apart: it knows errors only, and nobody knows it.
const APART: &str = "testing";

/// Uses of a module by one that it must not know of.
pub(super) fn against_the_direction(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("src/", "rs").filter(|file| file.path != "src/lib.rs") {
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
        for (line, used) in modules_used(&lexer::rust(&file.text).code) {
            if !may_use(user, &used) {
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

/// The modules that code names after `crate::`, with their lines. Names in capitals are items that `lib.rs` passes on.
fn modules_used(code: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let line = 1 + code[..at].matches('\n').count();
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(first_names(group).into_iter().map(|name| (line, name))),
            None => used.push((line, first_name(rest).to_owned())),
        }
    }
    used.retain(|(_, name)| name.starts_with(|c: char| c.is_lowercase()) && name != "self");
    used
}

/// The first name of each item of a group `{a::b, c::{d, e}}` whose opening brace is gone.
fn first_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut item) = (Vec::new(), 0_usize, true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => item = true,
            _ if item && !c.is_whitespace() => {
                names.push(first_name(&group[at..]).to_owned());
                item = false;
            }
            _ => {}
        }
    }
    names
}

fn first_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

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

    #[test]
    fn uses_along_the_direction_are_let_be() {
        let text = "//! See [`crate::worker`].\nuse crate::{client::{self, Client}, error::Result};\nuse crate::Outcome;\n";
        assert!(lines("src/worker/claimer.rs", text).is_empty());
        assert!(lines("src/job_row.rs", "use crate::tenant::Tenant;\n").is_empty());
    }

    #[test]
    fn a_module_without_a_rank_is_found() {
        assert_eq!(lines("src/novel.rs", ""), [0]);
    }
}
