//! How wide a line of SQL may be.

use super::{
    sql::is_generated,
    tree::{Finding, Tree},
};

/// The columns that a line may have.
const WIDTH: usize = 100;

/// Lines of code and comments that are too wide to read beside another file. The text of a comment on an object is a paragraph
/// of the reference, and a paragraph is one line.
pub(super) fn wide_lines(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql").filter(|file| !is_generated(&file.path)) {
        let mut inside = Inside::Code;
        for (number, line) in file.text.lines().enumerate() {
            let begins_in = inside;
            inside = inside.after(line);
            let is_paragraph = begins_in == Inside::Text
                || begins_in == Inside::CommentOn && line.trim_start().starts_with('\'');
            if line.len() > WIDTH && !is_paragraph {
                let what = format!("{} columns: wrap it at {WIDTH}", line.len());
                found.push(file.finding(number + 1, what));
            }
        }
    }
    found
}

/// Where a line of SQL begins.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    /// The head of a `comment on`, before its text.
    CommentOn,
    /// The text of a `comment on`.
    Text,
}

impl Inside {
    /// Where the line after this one begins.
    fn after(self, line: &str) -> Self {
        if self == Self::Code && !line.starts_with("comment on ") {
            return self;
        }
        // a quote that is doubled inside the text changes nothing
        let quotes = line.matches('\'').count();
        if (self == Self::Text) != (quotes % 2 == 1) {
            Self::Text
        } else if line.trim_end().ends_with(';') {
            Self::Code
        } else {
            Self::CommentOn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn lines_that_are_too_wide_are_found_and_paragraphs_of_the_reference_are_not() {
        let wide = "x".repeat(101);
        let text = format!(
            "select '{wide}';\n-- {wide}\n-- {}\ncomment on function f() is\n'It''s {wide}.\n{wide}\nErrors: none; {wide}';\n{wide}\ncomment on function {wide}() is 'Short.';\ncomment on table t is 'A ''b''\n{wide}';\n{wide}\n",
            "y".repeat(97)
        );
        let lines: Vec<usize> =
            found(wide_lines, "sql/views/x.sql", &text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 2, 8, 9, 12]);
        assert!(found(wide_lines, "sql/fairclaim.sql", &text).is_empty(), "made from the others");
    }
}
