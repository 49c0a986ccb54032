//! How wide a line of SQL may be.

use super::{
    sql::is_generated,
    tree::{Finding, Tree},
};

/// The columns that a line may have.
const WIDTH: usize = 100;

/// Lines of code and comments that are too wide to read beside another file. A comment on an object is left out: its text is
/// paragraphs of the reference, and a paragraph is one line.
pub(super) fn wide_lines(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.below("sql/", "sql").filter(|file| !is_generated(&file.path)) {
        let mut in_comment = false;
        for (number, line) in file.text.lines().enumerate() {
            in_comment |= line.starts_with("comment on ");
            if line.len() > WIDTH && !in_comment {
                let what = format!("{} columns: wrap it at {WIDTH}", line.len());
                found.push(file.finding(number + 1, what));
            }
            in_comment &= !line.ends_with("';");
        }
    }
    found
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
        assert_eq!(lines, [1, 2, 8, 12]);
        assert!(found(wide_lines, "sql/fairclaim.sql", &text).is_empty(), "made from the others");
    }
}
