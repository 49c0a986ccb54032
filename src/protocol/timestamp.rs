//! Instants as text, for JSON in both directions. The driver carries them as `SystemTime`, so that
//! a calendar is needed nowhere else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes an instant as RFC 3339 in UTC with microseconds, which is what the database keeps.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let micros = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_micros()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_micros()).unwrap_or(i128::MAX),
    };
    let (days, in_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Computes the Gregorian date of a number of days since 1970. Years are counted from March, so
/// that the leap day comes last.
fn civil(days: i128) -> (i128, i128, i128) {
    const ERA: i128 = 146_097; // days in 400 years
    let since_march_0 = days + 719_468;
    let (era, in_era) = (since_march_0.div_euclid(ERA), since_march_0.rem_euclid(ERA));
    let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let march_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_in_era + i128::from(month <= 2), month, day)
}

/// Writes an instant for serde's `serialize_with`.
pub(crate) fn serialize<S: serde::Serializer>(
    at: &SystemTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

/// Writes an instant that may be missing for serde's `serialize_with`.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(crate) fn serialize_option<S: serde::Serializer>(
    at: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes a span of time that may be missing as seconds, for serde's `serialize_with`.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(crate) fn serialize_seconds<S: serde::Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.serialize_f64(span.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        let check = |seconds: u64, text: &str| {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        };
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_782_400, "2000-02-29T00:00:00.000000Z");
        check(951_868_799, "2000-02-29T23:59:59.000000Z");
        check(1_709_251_200, "2024-03-01T00:00:00.000000Z");
        check(4_107_542_400, "2100-03-01T00:00:00.000000Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_micros(1)), "1969-12-31T23:59:59.999999Z");
    }
}
