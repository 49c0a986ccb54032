//! The floors of the library: a part of `src/` uses only what stands below it.

use super::tree::{Finding, Source, Tree, without_tests};

/// Each part, and the parts that it must not name because they stand above or beside it.
const FLOORS: &[(&str, &[&str])] = &[
    ("src/error", &["protocol", "client", "schema", "worker", "doctor"]),
    ("src/protocol", &["client", "schema", "worker", "doctor"]),
    ("src/client", &["schema", "worker", "doctor"]),
    ("src/schema", &["worker", "doctor"]),
    ("src/worker", &["schema", "doctor"]),
];

/// Finds code that names a part above its own. Links in comments may point anywhere.
pub(super) fn climbs(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (part, above) in FLOORS {
        for file in tree.files.iter().filter(|file| is_of(file, part)) {
            for (number, line) in without_tests(&file.text).lines().enumerate() {
                if let Some(name) = above.iter().find(|name| names(line, name)) {
                    let what = format!("`{name}` stands above or beside {part}: turn it round");
                    found.push(file.finding(number + 1, what));
                }
            }
        }
    }
    found
}

fn is_of(file: &Source, part: &str) -> bool {
    let rest = file.path.strip_prefix(part);
    file.has_extension("rs")
        && !file.is_tests()
        && rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Says whether a line of code has a path that begins with this part. What follows `self` or
/// `super` is a module of the file's own folder.
fn names(line: &str, part: &str) -> bool {
    let begins = |at: usize| {
        let before = &line[..at];
        let is_other_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        !is_other_word && !before.ends_with("self::") && !before.ends_with("super::")
    };
    !line.trim_start().starts_with("//")
        && line.match_indices(&format!("{part}::")).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn a_part_that_names_one_above_it_is_found() {
        let text = "//! See crate::client::Client.\nuse crate::client::Client;\nuse crate::{\n    \
                    client::via::Via,\n};\nuse self::client::X;\nfn a(b: my_client::C) {}\n\
                    #[cfg(test)]\nmod tests { use crate::client::Client; }\n";
        let lines = |path: &str| -> Vec<usize> {
            found(climbs, path, text).iter().map(|finding| finding.line).collect()
        };
        assert_eq!(lines("src/protocol/job.rs"), [2, 4]);
        assert_eq!(lines("src/error.rs"), [2, 4]);
        assert!(lines("src/worker/attempt.rs").is_empty());
        assert!(lines("src/protocols.rs").is_empty() && lines("cli/src/client.rs").is_empty());
    }
}
