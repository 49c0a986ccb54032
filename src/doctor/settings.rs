//! Settings of the server that matter here.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::{Check, Finding, finding::some, number};
use crate::{
    error::Result,
    statements::doctor::{CONNECTIONS, SETTINGS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "settings", statement: &SETTINGS, judge: settings },
    Check { about: "connections", statement: &CONNECTIONS, judge: connections },
];

type Values = HashMap<String, String>;

fn settings(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut values = Values::new();
    for row in rows {
        let value = row.try_get::<_, Option<String>>("reset_val")?.unwrap_or_default();
        values.insert(row.try_get("name")?, value);
    }
    Ok(judge(&values))
}

fn judge(values: &Values) -> Vec<Finding> {
    let mut found = vec![durability(values)];
    found.extend(isolation(values));
    found.extend(row_security(values));
    found.extend(logged(values));
    found.extend(short_timeout(values));
    found.push(autovacuum(values));
    found
}

fn is(values: &Values, name: &str, value: &str) -> bool {
    values.get(name).is_some_and(|found| found == value)
}

fn durability(values: &Values) -> Finding {
    let off: Vec<String> = ["fsync", "full_page_writes", "synchronous_commit"]
        .into_iter()
        .filter(|name| is(values, name, "off"))
        .map(str::to_owned)
        .collect();
    if off.is_empty() {
        return Finding::ok("durability", "a commit survives a crash");
    }
    Finding::warning(
        "durability",
        format!("off: {}", some(&off)),
        "turn them on: without fsync or full_page_writes a crash can destroy the database, without synchronous_commit it loses \
         the last jobs that were dispatched",
    )
}

fn isolation(values: &Values) -> Option<Finding> {
    let level = values.get("default_transaction_isolation")?;
    if is(values, "default_transaction_read_only", "on") {
        return Some(Finding::error(
            "isolation",
            "transactions of this login are read-only by default: every dispatch and claim is refused",
            "as an administrator: alter role … reset default_transaction_read_only (or alter database …)",
        ));
    }
    (level != "read committed").then(|| {
        Finding::error(
            "isolation",
            format!(
                "transactions of this login are {level} by default: claims and ticks are refused (JQ004), and each transaction that \
                 dispatches opens lanes of its own"
            ),
            "as an administrator: alter role … set default_transaction_isolation = 'read committed' for workers, and for \
             producers that dispatch often",
        )
    })
}

/// Functions set it for themselves; a view is read with what the session has.
fn row_security(values: &Values) -> Option<Finding> {
    is(values, "row_security", "off").then(|| {
        Finding::note(
            "row_security_off",
            "row_security is off for this login: functions work, and views that hide rows from it are refused (42501)",
            "leave it to logins that take backups, or as an administrator: alter role … reset row_security",
        )
    })
}

/// Parameters hold payloads.
fn logged(values: &Values) -> Option<Finding> {
    let on_error = values.get("log_parameter_max_length_on_error").is_some_and(|v| v != "0");
    let statements = is(values, "log_statement", "all")
        || values.get("log_min_duration_statement").is_some_and(|v| !v.starts_with('-'));
    let with_values = values.get("log_parameter_max_length").is_some_and(|v| v != "0");
    if on_error {
        return Some(Finding::warning(
            "logged_parameters",
            "log_parameter_max_length_on_error is not 0: payloads of failed statements go to the server's log",
            "set it to 0, its default",
        ));
    }
    (statements && with_values).then(|| {
        Finding::warning(
            "logged_parameters",
            "statements are logged with their parameters: payloads go to the server's log",
            "set log_parameter_max_length = 0 for the logins of workers and producers (alter role …)",
        )
    })
}

fn short_timeout(values: &Values) -> Option<Finding> {
    let millis: u64 = values.get("statement_timeout")?.parse().ok()?;
    (1..5_000).contains(&millis).then(|| {
        Finding::warning(
            "short_timeout",
            format!("statement_timeout of this login is {millis} ms: large batches and ticks may be cut short"),
            "as an administrator: alter role … set statement_timeout = '30s' for workers",
        )
    })
}

fn autovacuum(values: &Values) -> Finding {
    if is(values, "autovacuum", "off") || is(values, "track_counts", "off") {
        return Finding::error(
            "autovacuum",
            "autovacuum does not run: queue tables grow without end",
            "turn autovacuum and track_counts on",
        );
    }
    Finding::ok("autovacuum", "it runs")
}

fn connections(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let (used, usable): (i64, i64) = (number(row, "used")?, number(row, "usable")?);
    let seen = format!("{used} of {usable} are used");
    Ok(vec![if used * 10 > usable * 8 {
        Finding::warning(
            "connections",
            seen,
            "lower the pools of applications, put a pooler in between, or raise max_connections",
        )
    } else {
        Finding::ok("connections", seen)
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    /// What a server has by default, with some settings changed.
    fn levels(changes: &[(&str, &str)]) -> Vec<(&'static str, Level)> {
        let defaults = [
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("default_transaction_isolation", "read committed"),
            ("default_transaction_read_only", "off"),
            ("row_security", "on"),
            ("log_parameter_max_length_on_error", "0"),
            ("log_parameter_max_length", "-1"),
            ("log_statement", "none"),
            ("log_min_duration_statement", "-1"),
            ("statement_timeout", "0"),
            ("autovacuum", "on"),
            ("track_counts", "on"),
        ];
        let values =
            defaults.iter().chain(changes).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        judge(&values.collect())
            .into_iter()
            .filter(|finding| finding.level != Level::Ok)
            .map(|finding| (finding.name, finding.level))
            .collect()
    }

    #[test]
    fn each_setting_that_hurts_is_found_and_the_defaults_are_well() {
        assert_eq!(levels(&[]), []);
        for (name, value, finding, level) in [
            ("fsync", "off", "durability", Level::Warning),
            ("synchronous_commit", "off", "durability", Level::Warning),
            ("default_transaction_isolation", "serializable", "isolation", Level::Error),
            ("default_transaction_read_only", "on", "isolation", Level::Error),
            ("row_security", "off", "row_security_off", Level::Note),
            ("log_parameter_max_length_on_error", "-1", "logged_parameters", Level::Warning),
            ("log_statement", "all", "logged_parameters", Level::Warning),
            ("log_min_duration_statement", "100", "logged_parameters", Level::Warning),
            ("statement_timeout", "200", "short_timeout", Level::Warning),
            ("autovacuum", "off", "autovacuum", Level::Error),
        ] {
            assert_eq!(levels(&[(name, value)]), [(finding, level)], "{name} = {value}");
        }
        assert_eq!(levels(&[("log_statement", "all"), ("log_parameter_max_length", "0")]), []);
    }
}
