//! The texts of the repository, and what is found in them.

use std::{fmt, path::Path, process::Command};

use anyhow::{Context, ensure};

/// All text files that git knows, or would if they were added.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<Source>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Source {
    /// Below the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// Something that must not be there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) path: String,
    /// From 1; 0 when it is about the whole file.
    pub(super) line: usize,
    pub(super) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

impl Tree {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
            .current_dir(root)
            .output()
            .context("cannot start git")?;
        ensure!(
            output.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let files = names
            .split_terminator('\0')
            // a file that is gone, or is no text, has nothing to look at
            .filter_map(|path| {
                Some(Source {
                    path: path.to_owned(),
                    text: std::fs::read_to_string(root.join(path)).ok()?,
                })
            })
            .collect();
        Ok(Self { files })
    }

    /// The files below a folder with an extension.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a Source> {
        self.files
            .iter()
            .filter(move |file| file.path.starts_with(folder) && file.has_extension(extension))
    }
}

impl Source {
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Whether a Rust file is nothing but tests of its folder.
    pub(super) fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    pub(super) fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }

    /// The file's own name without its extension.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }
}

/// A Rust text without its tests, which stand in a module at its end and may look at the database their own way.
pub(super) fn without_tests(text: &str) -> &str {
    const MARK: &str = "#[cfg(test)]\n";
    let opens_tests = |at: usize| {
        let line = text[at + MARK.len()..].lines().next().unwrap_or_default();
        line.contains("mod ") && line.contains('{')
    };
    let end = text.match_indices(MARK).map(|(at, _)| at).find(|at| opens_tests(*at));
    &text[..end.unwrap_or(text.len())]
}

/// What a rule finds in one file, for the tests of the rules.
#[cfg(test)]
pub(super) fn found(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<Finding> {
    rule(&Tree { files: vec![Source { path: path.to_owned(), text: text.to_owned() }] })
}

#[cfg(test)]
mod tests {
    use super::without_tests;

    #[test]
    fn tests_are_cut_off_where_their_module_opens_and_not_before() {
        let code = "#[cfg(test)]\nmod tests;\nfn f() {}\n    #[cfg(test)]\n    fn for_test() {}\nfn g() {}\n";
        for module in ["mod tests {\n}", "pub(crate) mod tests {\n}", "mod tests { fn f() {} }"] {
            let text = format!("{code}#[cfg(test)]\n{module}\n");
            assert_eq!(without_tests(&text), code);
        }
        assert_eq!(without_tests(code), code);
    }
}
