//! What a worker's set-up refuses.

use std::{collections::HashSet, time::Duration};

use crate::{
    error::{Error, Result},
    worker::settings::Settings,
};

const NAMES_MAX: usize = 1000;

pub(super) fn settings(settings: &Settings) -> Result<()> {
    let (millis, day) = (Duration::from_millis, Duration::from_secs(24 * 3600));
    within("lease", settings.lease, millis(1000), day, "1 s to 24 h")?;
    within("grace", settings.grace, Duration::ZERO, day, "0 to 24 h")?;
    within("stop_within", settings.stop_within, Duration::ZERO, day, "0 to 24 h")?;
    let poll_interval = settings.poll_interval.unwrap_or(millis(1000));
    within("poll_interval", poll_interval, millis(5), millis(60_000), "5 ms to 1 min")?;
    within("sleep_after", settings.sleep_after.unwrap_or(day), millis(1000), day, "1 s to 24 h")?;
    within("max_batch", settings.batch_max, 1, 1000, "1 to 1,000")?;
    within("connections", settings.connections, 1, 8, "1 to 8")?;
    within(
        "attempt_timeout",
        settings.attempt_timeout.unwrap_or(day),
        millis(1),
        day,
        "1 ms to 24 h",
    )
}

fn within<T: PartialOrd + Copy>(
    setting: &str,
    value: T,
    least: T,
    most: T,
    limits: &str,
) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::configuration(
        format!("the worker's {setting} is out of its limits"),
        format!("set {setting} to {limits}"),
    ))
}

pub(super) fn queues(queues: &[(String, usize)]) -> Result<()> {
    if queues.is_empty() || queues.len() > NAMES_MAX {
        return Err(Error::configuration(
            "the worker serves no queue, or more than 1,000",
            "call .queue(name, concurrency)",
        ));
    }
    for (at, (queue, concurrency)) in queues.iter().enumerate() {
        if !is_name(queue, false) {
            let message = format!("queue {at} of the worker has a name that no queue can have");
            return Err(Error::configuration(
                message,
                "use 1 to 64 of a-z 0-9 _ . : - and start with a letter or digit",
            ));
        }
        within(&format!("concurrency of queue {queue}"), *concurrency, 1, 10_000, "1 to 10,000")?;
        if queues[..at].iter().any(|(earlier, _)| earlier == queue) {
            return Err(Error::configuration(
                format!("the worker has queue {queue} twice"),
                "name every queue once",
            ));
        }
    }
    Ok(())
}

pub(super) fn types<'a>(types: impl ExactSizeIterator<Item = &'a str>) -> Result<()> {
    if types.len() == 0 || types.len() > NAMES_MAX {
        let hint = "call .handler(f) with an async fn(job, attempt), or .handler_for(type, f)";
        return Err(Error::configuration("the worker has no handler, or more than 1,000", hint));
    }
    let mut seen = HashSet::new();
    for job_type in types {
        if !is_name(job_type, true) {
            return Err(Error::configuration(
                format!("{job_type:.64?} is not a name that a type can have"),
                "use 1 to 64 of A-Z a-z 0-9 _ . : - and start with a letter or digit",
            ));
        }
        if !seen.insert(job_type) {
            return Err(Error::configuration(
                format!("type {job_type} has two handlers"),
                "register one handler a type",
            ));
        }
    }
    Ok(())
}

fn is_name(name: &str, upper: bool) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || upper && byte.is_ascii_uppercase()
    };
    let rest = |byte: u8| plain(byte) || b"_.:-".contains(&byte);
    name.len() <= 64 && name.bytes().next().is_some_and(plain) && name.bytes().all(rest)
}

pub(super) fn worker_id(worker_id: &str) -> Result<()> {
    let characters = worker_id.chars().count();
    if (1..=255).contains(&characters) && !worker_id.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::configuration(
        "the worker_id is empty, too long or not printable",
        "use 1 to 255 printable characters",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_database() {
        for name in ["a", "mail", "0_.:-", &"x".repeat(64)] {
            assert!(is_name(name, false), "{name}");
        }
        for name in ["", "Mail", "_a", "a b", "é", &"x".repeat(65)] {
            assert!(!is_name(name, false), "{name}");
        }
        assert!(is_name("SendMail", true));
    }

    #[test]
    fn worker_ids_are_printable() {
        assert!(worker_id("'; drop table job; --").is_ok());
        for bad in ["", "a\nb", &"é".repeat(256)] {
            assert!(worker_id(bad).is_err());
        }
    }

    #[test]
    fn a_worker_needs_each_queue_once() {
        let check = |queues: &[(&str, usize)], part: &str| {
            let queues: Vec<_> =
                queues.iter().map(|&(queue, slots)| (queue.to_owned(), slots)).collect();
            let error = super::queues(&queues).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.hint().is_some());
        };
        check(&[], "serves no queue");
        check(&[("mail", 1), ("mail", 2)], "queue mail twice");
        check(&[("mail", 0)], "concurrency of queue mail");
        check(&[("Mail!", 1)], "queue 0");
    }
}
