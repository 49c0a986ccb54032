//! Checks a job without asking the database, against those limits of the protocol that need no
//! setting of an installation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::{Dispatch, Due};
use crate::{
    error::{Error, Result},
    protocol::json,
};

const DAY: Duration = Duration::from_secs(86_400);
const NAME_MAX: usize = 64;
const TAGS_MAX: usize = 20;
const METADATA_BYTES_MAX: usize = 16_384;
const KEY_BYTES_MAX: usize = 255;

impl Dispatch {
    /// Refuses what the conversion of a parameter would refuse, with the value in its message.
    /// Every dispatch begins with this check, and the database checks all limits. A program may
    /// call it before it connects.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) with the name of the field
    /// and its rule.
    pub fn check(&self) -> Result<()> {
        let texts = [("type", &self.job_type), ("queue", &self.queue)];
        let tags = self.tags.iter().map(|tag| ("tags", tag));
        let key = self.key.iter().map(|key| ("key", key));
        if let Some((field, _)) =
            texts.into_iter().chain(tags).chain(key).find(|(_, text)| text.contains('\0'))
        {
            return Err(Error::invalid_argument(field, "must not hold a NUL"));
        }
        // the driver counts microseconds in 64 bits without a check of overflow, and a JSON text
        // has four digits of a year
        let year_9999 = Duration::from_secs(253_370_764_800);
        let is_beyond =
            |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(true, |since| since >= year_9999);
        if matches!(self.due, Due::At(at) if is_beyond(at)) {
            let rule = "must be finite, at most 1 day ago and at most 5 years ahead";
            return Err(Error::invalid_argument("run_at", rule));
        }
        let five_years = Duration::from_secs(157_766_400);
        if matches!(self.due, Due::After(delay) if delay > five_years) {
            return Err(Error::invalid_argument("delay", "must be from 0 to 5 years"));
        }
        if self.timeout.is_some_and(|timeout| timeout > DAY) {
            return Err(Error::invalid_argument("timeout", "must be from 1 ms to 24 h"));
        }
        json::to_raw("metadata", &self.metadata).map(drop)
    }

    /// Refuses what the database would refuse, before it is sent. This is for a program that reads
    /// many jobs from elsewhere and wants to know which of them are bad. The database checks again,
    /// and also what depends on its settings, such as the size of a payload. `now` is a time that
    /// has passed by the clock of the database ([`Client::clock`]).
    ///
    /// [`Client::clock`]: crate::Client::clock
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument), which names the field and
    /// its limit.
    pub fn verify(&self, now: SystemTime) -> Result<()> {
        self.check()?;
        let rules = [
            (
                "type",
                is_name(&self.job_type, |byte| byte.is_ascii_uppercase()),
                "must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters",
            ),
            (
                "queue",
                is_name(&self.queue, |_| false),
                "must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters",
            ),
            ("priority", (-100..=100).contains(&self.priority), "must be from -100 to 100"),
            ("max_attempts", (1..=100).contains(&self.max_attempts), "must be from 1 to 100"),
            (
                "timeout",
                // `check` has the other bound
                self.timeout.is_none_or(|span| span >= Duration::from_millis(1)),
                "must be from 1 ms to 24 h",
            ),
            (
                "run_at",
                !matches!(self.due, Due::At(at) if at + DAY < now),
                "must be finite, at most 1 day ago and at most 5 years ahead",
            ),
            ("tags", self.tags.len() <= TAGS_MAX, "must be a list of at most 20"),
            (
                "tags",
                self.tags.iter().all(|tag| (1..=NAME_MAX).contains(&tag.chars().count())),
                "each must have 1 to 64 characters",
            ),
            (
                "key",
                self.key.as_ref().is_none_or(|key| (1..=KEY_BYTES_MAX).contains(&key.len())),
                "must be 1 to 255 bytes",
            ),
            ("keep_order", !self.keep_order || self.key.is_some(), "needs a key"),
            (
                "metadata",
                object_len(&self.metadata) <= METADATA_BYTES_MAX,
                "must be at most 16384 bytes of JSON text",
            ),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some((field, _, rule)) => Err(Error::invalid_argument(field, rule)),
            None => Ok(()),
        }
    }
}

/// Computes how long a value is as the database writes it, or less, since it writes numbers that
/// are not whole in its own way.
fn text_len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) if number.is_f64() => 1,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => string_len(text),
        Value::Array(items) => list_len(items.iter().map(text_len)),
        Value::Object(entries) => object_len(entries),
    }
}

fn object_len(entries: &Map<String, Value>) -> usize {
    list_len(entries.iter().map(|(key, value)| string_len(key) + 2 + text_len(value)))
}

/// Counts the brackets of a list, and a comma and a blank between two items.
fn list_len(items: impl Iterator<Item = usize>) -> usize {
    items.map(|item| item + 2).sum::<usize>().max(2)
}

fn string_len(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0x00..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

fn is_name(text: &str, more: impl Fn(u8) -> bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more(byte);
    let mut bytes = text.bytes();
    text.len() <= NAME_MAX
        && bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || b"_.:-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn job(job_type: &str) -> Dispatch {
        Dispatch::raw(Uuid::nil(), job_type, 1).unwrap()
    }

    #[test]
    fn what_is_within_the_limits_passes() {
        let now = SystemTime::UNIX_EPOCH + 1000 * DAY;
        let full = job("Send.Mail:v2_x-y")
            .queue("0a_.:-")
            .priority(-100)
            .max_attempts(100)
            .timeout(Duration::from_millis(1))
            .run_at(now - Duration::from_secs(86_399))
            .tag("ü".repeat(64))
            .key("k".repeat(255))
            .keep_order(true);
        for good in [job("t"), job(&"t".repeat(64)), full.clone(), full.timeout(DAY)] {
            assert_eq!(good.verify(now), Ok(()));
        }
    }

    #[test]
    fn what_is_beyond_a_limit_is_refused_by_the_name_of_its_field() {
        let now = SystemTime::UNIX_EPOCH + 1000 * DAY;
        let tags = (0..21).fold(job("t"), |job, n| job.tag(n.to_string()));
        for (bad, field) in [
            (job(""), "type"),
            (job("-t"), "type"),
            (job("a b"), "type"),
            (job("ü"), "type"),
            (job(&"t".repeat(65)), "type"),
            (job("t").queue("A"), "queue"),
            (job("t").queue(""), "queue"),
            (job("t").priority(101), "priority"),
            (job("t").priority(-101), "priority"),
            (job("t").max_attempts(0), "max_attempts"),
            (job("t").max_attempts(101), "max_attempts"),
            (job("t").timeout(Duration::ZERO), "timeout"),
            (job("t").run_at(now - DAY - Duration::from_secs(1)), "run_at"),
            (job("t").tag(""), "tags"),
            (job("t").tag("x".repeat(65)), "tags"),
            (tags, "tags"),
            (job("t").key(""), "key"),
            (job("t").key("x".repeat(256)), "key"),
            (job("t").keep_order(true), "keep_order"),
            (job("t").metadata("k", "x".repeat(16_384)), "metadata"),
        ] {
            let error = bad.verify(now).unwrap_err();
            assert!(error.to_string().contains(&format!("{field}: ")), "{field}: {error}");
        }
    }
}
