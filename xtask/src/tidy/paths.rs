//! Which names of the crate's root a Rust text uses, however it gets there: by `crate::` or by `super::` often enough.

/// How many `super` lead from a file to the root: 1 for `src/client.rs` and `src/worker/mod.rs`, 2 for `src/worker/hold.rs`.
pub(super) fn depth_of(path: &str) -> usize {
    path.matches('/').count() - usize::from(path.ends_with("/mod.rs"))
}

/// The names of the crate's root that code uses, with their lines. `*` stands for all of them.
pub(super) fn names_of_root(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut nesting = Nesting::default();
    let (mut line, mut end) = (1, 0);
    for (at, c) in code.char_indices() {
        nesting.step(code, at, c);
        line += usize::from(c == '\n');
        if at < end || code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'))
        {
            continue; // in the middle of a path
        }
        let rest = &code[at..];
        let names = if let Some(rest) = rest.strip_prefix("crate::") {
            leaves(rest, 0, 0)
        } else if rest.starts_with("super::") || rest.starts_with("self::") {
            let rest = rest.strip_prefix("self::").unwrap_or(rest);
            leaves(rest, 0, depth + nesting.modules.len())
        } else {
            continue;
        };
        found.extend(names.into_iter().map(|name| (line, name)));
        end = at + length(rest);
    }
    found
}

/// The length of the path that a text begins with, its groups included.
fn length(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' if depth > 0 || text[..at].ends_with("::") => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ if depth > 0 || c.is_alphanumeric() || matches!(c, '_' | ':' | '*') => {}
            _ => return at,
        }
    }
    text.len()
}

/// Which modules of this file a place is inside of.
#[derive(Default)]
struct Nesting {
    braces: usize,
    /// How many braces were open when each of them opened.
    modules: Vec<usize>,
}

impl Nesting {
    fn step(&mut self, code: &str, at: usize, c: char) {
        match c {
            '{' => {
                let head = code[..at].rsplit(['{', '}', ';', ']']).next().unwrap_or_default();
                if head.split_whitespace().any(|word| word == "mod") {
                    self.modules.push(self.braces);
                }
                self.braces += 1;
            }
            '}' => {
                self.braces = self.braces.saturating_sub(1);
                self.modules.retain(|opened| *opened < self.braces);
            }
            _ => {}
        }
    }
}

/// The first names of the paths that a text begins with, of those that go `root` modules up, when it has gone `ups` already.
fn leaves(text: &str, ups: usize, root: usize) -> Vec<String> {
    if let Some(rest) = text.strip_prefix("super::") {
        return leaves(rest, ups + 1, root);
    }
    if let Some(group) = text.strip_prefix('{') {
        return items(group).into_iter().flat_map(|item| leaves(item, ups, root)).collect();
    }
    let name = if text.starts_with('*') { "*" } else { first_name(text) };
    if ups == root && !matches!(name, "self" | "super") { vec![name.to_owned()] } else { vec![] }
}

/// The items of a group `{a::b, c::{d, e}}` whose opening brace is gone, each with all that follows it.
fn items(group: &str) -> Vec<&str> {
    let (mut found, mut depth, mut begins) = (Vec::new(), 0_usize, true);
    for (at, c) in group.char_indices() {
        if begins && !c.is_whitespace() && c != '}' {
            found.push(&group[at..]);
            begins = false;
        }
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => begins = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

fn first_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, code: &str) -> Vec<(usize, String)> {
        names_of_root(code, depth_of(path))
    }

    fn named(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
        expected.iter().map(|&(line, name)| (line, name.to_owned())).collect()
    }

    #[test]
    fn a_file_knows_how_deep_it_is() {
        let depths = ["src/job.rs", "src/worker/mod.rs", "src/worker/hold.rs", "src/a/b/mod.rs"];
        assert_eq!(depths.map(depth_of), [1, 1, 2, 2]);
    }

    #[test]
    fn names_after_crate_are_found_in_groups_and_in_code() {
        let code =
            "use crate::{\n    a::{B, c},\n    D,\n};\nfn f() -> crate::E { my_crate::x() }\n";
        assert_eq!(names("src/job.rs", code), named(&[(1, "a"), (1, "D"), (5, "E")]));
    }

    #[test]
    fn super_counts_from_the_depth_of_the_file() {
        let code = "use super::{x, super::{y, z::w}, super::super::v};\nself::super::super::u();\n";
        assert_eq!(names("src/worker/hold.rs", code), named(&[(1, "y"), (1, "z"), (2, "u")]));
        assert_eq!(names("src/worker/mod.rs", code), named(&[(1, "x")]));
        assert_eq!(names("src/job.rs", "use super::*;\n"), named(&[(1, "*")]));
    }

    #[test]
    fn modules_inside_of_a_file_are_a_step_deeper() {
        let code = "mod a {\n    use super::x;\n    fn f() { {} }\n    mod b { use super::super::super::y; }\n    use super::super::z;\n}\nuse super::w;\npub(super) fn g() {}\n";
        assert_eq!(names("src/job.rs", code), named(&[(4, "y"), (5, "z"), (7, "w")]));
    }
}
