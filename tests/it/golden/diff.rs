//! What differs between two texts, short enough to be read in the output of a test.

use std::fmt::Write;

/// From here on the rest of the differences is only counted.
const LINES_MAX: usize = 60;

/// The lines that only the first text has with `-`, those that only the second has with `+`, each under the first line of the
/// block that it stands in. Empty for equal texts.
pub(super) fn diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut told = String::new();
    let (mut heading, mut lines) = ("", 0_usize);
    for (sign, block, line) in changes(&old, &new).into_iter().filter(|(.., line)| !line.is_empty())
    {
        lines += 1;
        if lines > LINES_MAX {
            continue;
        }
        if block != heading && block != line {
            let _ = writeln!(told, "  {block}");
        }
        heading = block;
        let _ = writeln!(told, "{sign} {line}");
    }
    if lines > LINES_MAX {
        let _ = writeln!(told, "  and {} lines more", lines - LINES_MAX);
    }
    told
}

/// Each change: its sign, the first line of its block, the line.
fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str, &'a str)> {
    let common = common_lengths(old, new);
    let (mut found, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            found.push(('-', block_of(old, i), old[i]));
            i += 1;
        } else {
            found.push(('+', block_of(new, j), new[j]));
            j += 1;
        }
    }
    found
}

/// How many lines the rests of both texts have in common, from every pair of places on.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    common
}

/// The first line of the block that a line stands in; blocks are parted by empty lines.
fn block_of<'a>(lines: &[&'a str], at: usize) -> &'a str {
    let first = lines[..at].iter().rposition(|line| line.is_empty()).map_or(0, |empty| empty + 1);
    lines[first.min(at)]
}

#[test]
fn a_diff_names_the_block_and_only_the_lines_that_differ() {
    let before = "table a\n  x int\n  y int\n\ntable b\n  z int\n";
    let after = "table a\n  x int\n  y text\n  w int\n\ntable b\n  z int\n\ntable c\n";
    assert_eq!(diff(before, after), "  table a\n-   y int\n+   y text\n+   w int\n+ table c\n");
    assert_eq!(diff(before, before), "");
}

#[test]
fn a_long_diff_is_cut() {
    let after: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let after = after.join("\n");
    let told = diff("", &after);
    assert_eq!(told.lines().count(), LINES_MAX + 1, "the lines and their count: {told}");
    assert!(told.ends_with("  and 40 lines more\n"));
}
