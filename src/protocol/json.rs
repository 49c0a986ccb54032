//! Checks JSON texts before they are sent. SQL checks all of it again. What is refused here is what
//! the server's own input conversion would refuse with an error that quotes the value, and what
//! would spoil a call with other jobs in it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::error::{Error, Result};

/// How deep arrays and objects may nest at most.
const DEPTH_MAX: usize = 128;

/// Serialises a value and checks the text.
pub(crate) fn to_raw<T: Serialize + ?Sized>(field: &str, value: &T) -> Result<Box<RawValue>> {
    // The serializer's message may quote the value; its category is all that is safe to say.
    let raw = serde_json::value::to_raw_value(value).map_err(|_| {
        Error::invalid_argument(
            field,
            "cannot be written as JSON (a map needs keys that are strings or numbers)",
        )
    })?;
    check(field, raw.get())?;
    Ok(raw)
}

/// Refuses a text that nests too deep, or whose strings hold what the database cannot store: a NUL
/// or half a surrogate pair. The text must be valid JSON.
pub(crate) fn check(field: &str, text: &str) -> Result<()> {
    let bytes = text.as_bytes();
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                match escape(bytes, at) {
                    Escape::Character => at += 4,
                    Escape::Pair => at += 10,
                    Escape::Refused => {
                        return Err(Error::invalid_argument(
                            field,
                            "holds a NUL or a lone surrogate, which the database cannot store",
                        ));
                    }
                }
                at += 1; // the `u`; the backslash is counted below
            }
            b'\\' => at += 1,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Error::invalid_argument(field, "must nest at most 128 deep"));
                }
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Reads a text of the database as a value. The database allows deeper texts than the parser does,
/// and numbers of any size. So where the parser gives up, the text is read level by level, and a
/// number that no `f64` holds stands as its text.
pub(crate) fn value(text: &RawValue) -> Value {
    serde_json::from_str(text.get()).unwrap_or_else(|_| by_levels(text))
}

/// Reads each level by itself. It recurs as deep as the text nests, which the database bounds.
fn by_levels(text: &RawValue) -> Value {
    let text = text.get();
    let parts = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(text).map(|entries| {
            Value::Object(entries.into_iter().map(|(key, part)| (key, by_levels(part))).collect())
        }),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .map(|items| items.into_iter().map(by_levels).collect()),
        _ => serde_json::from_str(text),
    };
    parts.unwrap_or_else(|_| Value::String(text.to_owned()))
}

enum Escape {
    Character,
    Pair,
    Refused,
}

/// Says what the `\uXXXX` at this position stands for.
fn escape(bytes: &[u8], at: usize) -> Escape {
    let unit = |at: usize| {
        let digits =
            (bytes.get(at..at + 2) == Some(b"\\u")).then(|| bytes.get(at + 2..at + 6)).flatten()?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(at) {
        None | Some(0 | 0xdc00..=0xdfff) => Escape::Refused,
        Some(0xd800..=0xdbff) => match unit(at + 6) {
            Some(0xdc00..=0xdfff) => Escape::Pair,
            _ => Escape::Refused,
        },
        Some(_) => Escape::Character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_stores_passes() {
        for text in [
            r#"{"a": [1, "b\\u0000", "\\"], "\u00e9": "\ud834\udd1e"}"#,
            r#""[[[\"{{{""#,
            "null",
            r#""\\\\u0000\n""#,
        ] {
            serde_json::from_str::<serde::de::IgnoredAny>(text).unwrap();
            assert_eq!(check("payload", text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_it_cannot_store_is_refused_by_the_name_of_the_field() {
        for text in
            [r#""\u0000""#, r#"["\\\u0000"]"#, r#""\ud834""#, r#""\ud834\u0041""#, r#""\udd1e""#]
        {
            let error = check("payload", text).unwrap_err();
            assert_eq!(error.code(), Some("JQ004"), "{text}");
            assert!(error.to_string().contains("payload: holds a NUL"));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check("payload", &nested(128)).is_ok());
        assert!(check("payload", &nested(129)).is_err());
        assert!(check("payload", &format!("[{}]", ["[]"; 500].join(","))).is_ok());
    }

    #[test]
    fn a_rust_string_with_a_nul_is_refused() {
        assert!(to_raw("payload", "a\0b").is_err());
        assert!(to_raw("payload", &std::collections::HashMap::from([((1, 2), 3)])).is_err());
        assert_eq!(to_raw("payload", &[1]).unwrap().get(), "[1]");
    }

    #[test]
    fn whatever_the_database_keeps_becomes_a_value() {
        let read = |text: &str| value(&RawValue::from_string(text.into()).unwrap());
        let deep = "[".repeat(128) + "7" + &"]".repeat(128);
        assert_eq!(read(&deep).to_string(), deep);
        let huge = r#"{"a": [1e400, "1e400", -2.5, null, true], "b": {"c\n": "é"}}"#;
        let expected = serde_json::json!({
            "a": ["1e400", "1e400", -2.5, null, true],
            "b": {"c\n": "é"}
        });
        assert_eq!(read(huge), expected);
        assert_eq!(read("1e400"), Value::from("1e400"));
    }
}
