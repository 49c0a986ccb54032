//! Values that flags take: durations, moments, JSON documents.

use std::fmt;
use std::io::Read;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::Hinted;

/// What a payload or metadata document may be at most; the database says the same.
const MAX_DOCUMENT_BYTES: u64 = 1024 * 1024;

/// `30s`, `5m`, `1h 30m`, `250ms`, or a bare number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const SHAPE: &str = "write it like 250ms, 30s, 5m, 2h or 1d";
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| SHAPE.to_owned());
    }
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()) {
        return days.checked_mul(86_400).map(Duration::from_secs).ok_or_else(|| SHAPE.to_owned());
    }
    let signed: SignedDuration = text.parse().map_err(|_| SHAPE.to_owned())?;
    Duration::try_from(signed).map_err(|_| "it cannot be negative".to_owned())
}

/// An RFC 3339 moment with its offset: `2027-01-31T09:00:00Z`.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    text.parse::<Timestamp>()
        .map(SystemTime::from)
        .map_err(|_| "write it like 2027-01-31T09:00:00Z or 2027-01-31T09:00:00+02:00".to_owned())
}

/// The same, for people and JSON: UTC, to the millisecond.
pub(crate) fn moment_text(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "?".to_owned(), |at| format!("{at:.3}"))
}

/// A JSON document given as itself, as `@file`, or as `-` for stdin.
pub(crate) fn document(flag: &str, text: &str) -> anyhow::Result<Value> {
    let source = match text {
        "-" => bounded(std::io::stdin(), flag)?,
        _ => match text.strip_prefix('@') {
            Some(path) => {
                let file = std::fs::File::open(path).map_err(|error| {
                    Hinted::usage(
                        format!("cannot read the file of --{flag}, {path}: {error}"),
                        "@ is followed by the path of a file that holds the JSON",
                    )
                })?;
                bounded(file, flag)?
            }
            None => text.to_owned(),
        },
    };
    strict_json(&source).map_err(|fault| {
        Hinted::usage(
            format!("--{flag} is not acceptable JSON: {fault}"),
            format!(
                "pass JSON like '{{\"id\": 7}}', or --{flag} @file.json, or --{flag} - for stdin"
            ),
        )
        .into()
    })
}

fn bounded(source: impl Read, flag: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    source.take(MAX_DOCUMENT_BYTES + 1).read_to_string(&mut text).map_err(|error| {
        Hinted::usage(format!("cannot read --{flag}: {error}"), "it must be UTF-8 text")
    })?;
    if text.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(Hinted::usage(
            format!("--{flag} is larger than 1 MiB"),
            "store the document elsewhere and pass where it is",
        )
        .into());
    }
    Ok(text)
}

/// Parses JSON and refuses what would be changed in silence later: an object with a key twice, of
/// which the database would keep the last. The text of a fault never quotes the document.
fn strict_json(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
        let fault = match error.classify() {
            serde_json::error::Category::Data => "an object has the same key twice",
            serde_json::error::Category::Eof => "it ends too early",
            _ => "it does not parse",
        };
        format!("{fault} (line {}, column {})", error.line(), error.column())
    })
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("the same key twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in ["", "-5s", "-1", "soon", "NaN", "5 parsecs"] {
            assert!(duration(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn moments_need_an_offset() {
        let at = moment("2027-01-31T09:00:00+02:00").unwrap();
        assert_eq!(moment_text(at), "2027-01-31T07:00:00.000Z");
        assert!(moment("2027-01-31T09:00:00").is_err());
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn json_is_taken_as_it_is() {
        assert_eq!(
            strict_json(r#"{"a":[1,-2,3.5,null,true,"x"],"b":{"c":{}}}"#),
            Ok(json!({"a": [1, -2, 3.5, null, true, "x"], "b": {"c": {}}}))
        );
    }

    #[test]
    fn a_key_given_twice_is_refused_without_naming_it() {
        let fault = strict_json(r#"{"a":{"secret":1,"secret":2}}"#).unwrap_err();
        assert!(fault.starts_with("an object has the same key twice"), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
        assert!(
            strict_json("{\"password\": hunter2}").unwrap_err().starts_with("it does not parse")
        );
    }
}
