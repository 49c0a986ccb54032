//! JSON in lines, with every digit as it is: a parser would round numbers.

/// Renders its text with a line for each part, indented by two for each level.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut level = 0;
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            text.push(character);
            continue;
        }
        match character {
            '{' | '[' => {
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                text.push(character);
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    level += 1;
                    new_line(&mut text, level);
                }
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                new_line(&mut text, level);
                text.push(character);
            }
            ',' => {
                text.push(',');
                new_line(&mut text, level);
            }
            ':' => text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                text.push(other);
            }
        }
    }
    text
}

fn new_line(text: &mut String, level: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(level));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_a_line_and_nothing_else_changes() {
        let json =
            r#"{"a": [1, {}, [ ], 0.10000000000000000001], "b, {": "x: \"[\\", "c": {"d": null}}"#;
        let expected = r#"{
  "a": [
    1,
    {},
    [],
    0.10000000000000000001
  ],
  "b, {": "x: \"[\\",
  "c": {
    "d": null
  }
}"#;
        assert_eq!(indented(json), expected);
        assert_eq!(indented(&indented(json)), expected);
        assert_eq!(indented("7"), "7");
    }
}
