//! Values that flags take: tenants, durations, moments, JSON documents.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::time::{Duration, SystemTime};

use fairclaim::Tenant;
use jiff::{SignedDuration, Timestamp};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::Hinted;

/// What a payload or metadata document may be at most; the database says the same.
const MAX_DOCUMENT_BYTES: u64 = 1024 * 1024;
/// How deep it may nest; the database says the same.
const MAX_DEPTH: usize = 128;

/// Reads a tenant: a uuid, or any other text, which always means the same uuid.
pub(crate) fn tenant(text: &str) -> Result<Tenant, String> {
    Tenant::named(text).map_err(|error| error.message().to_owned())
}

/// Reads the id of a job, as `fairclaim dispatch` and `fairclaim jobs list` print it.
pub(crate) fn job_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| {
        "it must be the id of a job, such as 01990000-0000-7000-8000-000000000000; `fairclaim jobs list` shows them".to_owned()
    })
}

/// Reads a text that the database looks for: the name of a worker, or a part of an error.
pub(crate) fn sought(text: &str) -> Result<String, String> {
    if (1..=255).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    Err("it must have 1 to 255 characters".to_owned())
}

/// Reads `30s`, `5m`, `1h 30m`, `250ms`, or a bare number of seconds.
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

/// Writes it as it may be typed, in the largest unit that leaves a whole number.
pub(crate) fn duration_text(seconds: f64) -> String {
    const UNITS: [(&str, f64); 5] =
        [("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];
    if seconds <= 0.0 {
        return "0s".to_owned();
    }
    let mut counts = UNITS.iter().map(|(unit, size)| (unit, seconds / size));
    let is_whole = |count: f64| count > 0.5 && (count - count.round()).abs() < 1e-9;
    counts.find(|(_, count)| is_whole(*count)).map_or_else(
        || seconds.to_string(), // which is read as seconds
        |(unit, count)| format!("{}{unit}", count.round()),
    )
}

/// The units of sizes, largest first.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads `1 MiB`, `256KiB`, or a bare number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let shape = || "write it like 500 KiB or 1 MiB".to_owned();
    let unit = SIZES.into_iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let (count, size) = unit.unwrap_or((text, 1));
    let count: u64 = count.trim_end().parse().map_err(|_| shape())?;
    count.checked_mul(size).ok_or_else(shape)
}

/// Writes it as it may be typed, in the largest unit that leaves a whole number.
pub(crate) fn size_text(bytes: u64) -> String {
    let unit = SIZES.into_iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    let (unit, size) = unit.unwrap_or(("B", 1));
    format!("{} {unit}", bytes / size)
}

/// Reads an RFC 3339 moment with its offset: `2027-01-31T09:00:00Z`.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    text.parse::<Timestamp>()
        .map(SystemTime::from)
        .map_err(|_| "write it like 2027-01-31T09:00:00Z or 2027-01-31T09:00:00+02:00".to_owned())
}

/// Writes a moment for people and JSON: UTC, to the millisecond.
pub(crate) fn moment_text(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "?".to_owned(), |at| format!("{at:.3}"))
}

/// Writes a moment for people, in UTC: `2027-01-31 09:00:00Z`.
pub(crate) fn second_text(at: SystemTime) -> String {
    Timestamp::try_from(at)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Reads a JSON document that is given as itself, as `@file`, or as `-` for stdin.
pub(crate) fn document(flag: &str, text: &str) -> anyhow::Result<Box<RawValue>> {
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

/// Takes JSON as it is, every digit of it, and refuses what would be changed in silence later: an
/// object with a key twice, of which the database would keep the last. The text of a fault never
/// quotes the document.
pub(crate) fn strict_json(text: &str) -> Result<Box<RawValue>, String> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let fault = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            _ => "it does not parse",
        };
        format!("{fault} (line {}, column {})", error.line(), error.column())
    })?;
    check_strict(raw)?;
    Ok(raw.to_owned())
}

/// Refuses the same in a text that is JSON already.
pub(crate) fn check_strict(raw: &RawValue) -> Result<(), String> {
    check_level(raw, MAX_DEPTH)
}

/// One object or array and what is in it. Level by level, because the parser refuses as a whole
/// what the database takes: numbers beyond a double's range, the last level of nesting.
fn check_level(value: &RawValue, levels_left: usize) -> Result<(), String> {
    let text = value.get();
    if !text.starts_with(['{', '[']) {
        return Ok(());
    }
    if levels_left == 0 {
        return Err(format!("it nests deeper than {MAX_DEPTH} levels"));
    }
    let level: Level<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "an object has the same key twice".to_owned(),
        _ => "it does not parse".to_owned(),
    })?;
    level.0.into_iter().try_for_each(|part| check_level(part, levels_left - 1))
}

/// The values of an object with different keys, or of an array.
struct Level<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Level<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = Level<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Level<'de>, A::Error> {
        let mut parts = Vec::new();
        while let Some(item) = items.next_element()? {
            parts.push(item);
        }
        Ok(Level(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Level<'de>, A::Error> {
        let (mut keys, mut parts) = (HashSet::new(), Vec::new());
        while let Some((key, part)) = entries.next_entry::<String, _>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("the same key twice"));
            }
            parts.push(part);
        }
        Ok(Level(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn taken(text: &str) -> Result<String, String> {
        strict_json(text).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn json_is_taken_as_it_is() {
        for text in [
            r#"{"a":[1,-2,3.5,null,true,"x"],"b":{"c":{}}}"#,
            "[1e400, 0.10000000000000000001]",
            "1e400",
        ] {
            assert_eq!(taken(text).as_deref(), Ok(text));
        }
        assert_eq!(taken(" {} \n").as_deref(), Ok("{}"));
    }

    #[test]
    fn json_nests_as_deep_as_the_database_takes() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(taken(&nested(128)), Ok(nested(128)));
        assert!(taken(&nested(129)).unwrap_err().contains("deeper than 128"));
        assert!(taken(&nested(40_000)).unwrap_err().contains("deeper than 128"));
    }

    #[test]
    fn a_key_given_twice_is_refused_without_naming_it() {
        let fault = taken(r#"{"a":[{"secret":1,"secret":2}]}"#).unwrap_err();
        assert!(fault.starts_with("an object has the same key twice"), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
        assert!(taken("{\"password\": hunter2}").unwrap_err().starts_with("it does not parse"));
    }
}
