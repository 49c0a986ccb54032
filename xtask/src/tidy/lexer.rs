//! Just enough of the grammars of Rust and SQL to tell code from comments and strings. Line breaks are kept, so that line
//! numbers hold.

/// A Rust text taken apart.
#[derive(Debug, Default)]
pub(super) struct Rust {
    /// The code; comments and the insides of strings are blank.
    pub(super) code: String,
    /// The strings, with the line each begins on.
    pub(super) strings: Vec<(usize, String)>,
}

/// Takes a Rust text apart.
pub(super) fn rust(text: &str) -> Rust {
    let mut found = Rust::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let before = found.code.chars().next_back();
        let word_before = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            blank(&mut found.code, rest, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            blank(&mut found.code, rest, block_comment(rest))
        } else if let Some((open, close)) = string_start(rest).filter(|_| !word_before) {
            let inside = string_end(&rest[open..], &close);
            let line = 1 + found.code.matches('\n').count();
            found.strings.push((line, rest[open..open + inside].to_owned()));
            blank(&mut found.code, rest, (open + inside + close.len()).min(rest.len()))
        } else if let Some(length) = character(rest).filter(|_| !word_before) {
            blank(&mut found.code, rest, length)
        } else {
            found.code.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// An SQL text with its comments blank. What stands in quotes is left as it is.
pub(super) fn sql_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            blank(&mut code, rest, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            blank(&mut code, rest, block_comment(rest))
        } else if first == '\'' {
            let length = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            code.push_str(&rest[..length]);
            length
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// Appends blanks for the start of a text; returns its length.
fn blank(code: &mut String, text: &str, length: usize) -> usize {
    code.extend(text[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
    length
}

/// The length of the block comment that a text begins with; in both languages they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// If a text begins with a string: where its inside begins, and what closes it.
fn string_start(text: &str) -> Option<(usize, String)> {
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    let after = &text[prefix.min(1)..];
    if after.starts_with('"') {
        return Some((prefix.min(1) + 1, "\"".to_owned()));
    }
    let raw = after.strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    raw[hashes..]
        .starts_with('"')
        .then(|| (prefix.min(1) + hashes + 2, format!("\"{}", "#".repeat(hashes))))
}

/// The length of a string's inside.
fn string_end(text: &str, close: &str) -> usize {
    if close.len() > 1 {
        return text.find(close).unwrap_or(text.len());
    }
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the character literal that a text begins with, as opposed to a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map(|end| end + 4);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_of_rust_are_told_from_code() {
        let text = "let a = \"x // \\\" y\"; // \"no\n/* \"no\" /* no */ */ let b = br#\"z \" z\"#;\nlet c: &'a str = f('\"', '\\'');\n";
        let found = rust(text);
        assert_eq!(found.strings, [(1, "x // \\\" y".to_owned()), (2, "z \" z".to_owned())]);
        assert!(!found.code.contains("no") && !found.code.contains('"'));
        assert!(found.code.contains("let b = ") && found.code.contains("let c: &'a str = f("));
        assert_eq!(found.code.lines().count(), text.lines().count());
    }

    #[test]
    fn comments_of_sql_go_and_strings_stay() {
        let code = sql_code("select '-- stays' -- it's gone\n, 1 /* gone /* too */ */ as n\n");
        assert!(code.contains("'-- stays'") && code.contains("as n"));
        assert!(!code.contains("gone") && code.lines().count() == 2);
    }
}
