//! Queues, limits and what waits.

use tokio_postgres::Row;

use super::{
    Check, Finding,
    finding::{counted, some, span},
    number,
};
use crate::{
    error::Result,
    statements::doctor::{ALONE, LEASES, LIMITS, QUEUES, WAITING},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "queues", statement: &QUEUES, judge: queues },
    Check { about: "leases that end far ahead", statement: &LEASES, judge: leases },
    Check { about: "limits", statement: &LIMITS, judge: limits },
    Check { about: "what waits", statement: &WAITING, judge: waiting },
    Check { about: "what waits to run alone", statement: &ALONE, judge: alone },
];

/// From here on nobody seems to want a type.
const UNCLAIMED: f64 = 600.0;
/// From here on a job waits long.
const WAITS: f64 = 600.0;
/// The longest lease that a claim or a heartbeat gives.
const LONGEST_LEASE: f64 = 86_400.0;
/// A limit takes effect with the second tick after the claims of that moment.
const LIMIT_LATE: f64 = 60.0;

fn queues(rows: &[Row]) -> Result<Vec<Finding>> {
    let paused = rows
        .iter()
        .map(|row| {
            let name: &str = row.try_get("queue")?;
            Ok(format!("{name} (for {})", span(number(row, "seconds")?)))
        })
        .collect::<Result<Vec<String>>>()?;
    Ok(vec![if paused.is_empty() {
        Finding::ok("paused_queues", "none")
    } else {
        Finding::note(
            "paused_queues",
            format!("nothing is claimed from {}", some(&paused)),
            "resume them when their jobs shall run",
        )
    }])
}

/// Whether a worker is gone nobody can see from its lease, but an operator may know.
fn leases(rows: &[Row]) -> Result<Vec<Finding>> {
    let (mut held, mut beyond) = (Vec::new(), false);
    for row in rows {
        let (worker, jobs): (&str, i64) = (row.try_get("worker_id")?, number(row, "jobs")?);
        let seconds: f64 = number(row, "seconds")?;
        beyond |= seconds > LONGEST_LEASE;
        let ahead = span(seconds);
        held.push(format!("{worker} ({jobs}, for {ahead})"));
    }
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let seen = format!("workers hold jobs for more than an hour from now: {}", some(&held));
    Ok(vec![if beyond {
        Finding::warning(
            "long_leases",
            format!(
                "{seen}; no lease is longer than 24 h, so the database's clock was ahead when they were given"
            ),
            "`fairclaim jobs release --worker ID` takes its jobs back at once (stop the worker first); else they wait until then",
        )
    } else {
        Finding::note(
            "long_leases",
            seen,
            "if such a worker is gone, `fairclaim jobs release --worker ID` takes its jobs back at once; else they wait until then",
        )
    }])
}

fn limits(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let count = |name: &str| number::<i64>(row, name);
    let (limited, paused, inactive) = (count("limited")?, count("paused")?, count("inactive")?);
    let seen = format!(
        "{} with one; {paused} paused, {} at it, {inactive} waiting for it to take effect",
        counted(limited, "tenant"),
        count("at_limit")?
    );
    Ok(vec![if inactive > 0 && number::<f64>(row, "inactive_seconds")? > LIMIT_LATE {
        Finding::warning(
            "limits",
            seen,
            "until a new limit takes effect none of the tenant's jobs is claimed, and an open transaction is in its way: \
             see `floors` and `long_transaction`",
        )
    } else if paused > 0 || inactive > 0 {
        Finding::note("limits", seen, "their jobs wait; that is what a limit is for")
    } else {
        Finding::ok("limits", seen)
    }])
}

/// Nobody but a claim that asks for them returns them, so a client that never does leaves them for ever.
fn alone(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut unclaimed = Vec::new();
    for row in rows {
        let seconds: f64 = number(row, "seconds")?;
        if seconds <= UNCLAIMED || row.try_get("paused")? {
            continue;
        }
        let (queue, name): (&str, &str) = (row.try_get("queue")?, row.try_get("type")?);
        let (jobs, first): (i64, &str) = (number(row, "jobs")?, row.try_get("first_id")?);
        let waits = span(seconds);
        unclaimed.push(format!("{jobs} of {name} in {queue} (for {waits}, first {first})"));
    }
    if unclaimed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::warning(
        "suspects",
        format!("jobs whose workers died twice wait, and nobody runs them: {}", some(&unclaimed)),
        "start `fairclaim work` or a worker of the library with a handler for that type, which runs such jobs alone; a client of your own \
         asks for them by claim_jobs(…, 1, p_alone => true) while it holds nothing else; or end them: `fairclaim jobs cancel ID`",
    )])
}

fn waiting(rows: &[Row]) -> Result<Vec<Finding>> {
    let (mut unclaimed, mut oldest) = (Vec::new(), 0.0_f64);
    for row in rows {
        let seconds: f64 = number(row, "seconds")?;
        if row.try_get("paused")? {
            continue;
        }
        oldest = oldest.max(seconds);
        if seconds > UNCLAIMED && !row.try_get::<_, bool>("runs")? {
            let (queue, name): (&str, &str) = (row.try_get("queue")?, row.try_get("type")?);
            unclaimed.push(format!("{name} in {queue} (for {})", span(seconds)));
        }
    }
    let mut found = Vec::new();
    if !unclaimed.is_empty() {
        found.push(Finding::warning(
            "unclaimed_types",
            format!("jobs wait of which none runs: {}", some(&unclaimed)),
            "start a worker of that queue with a handler for that type, or cancel the jobs",
        ));
    }
    found.push(if rows.is_empty() {
        Finding::ok("backlog", "nothing waits")
    } else if oldest > WAITS {
        Finding::note(
            "backlog",
            format!("of the jobs looked at the oldest has waited for {}", span(oldest)),
            "add workers, or raise their concurrency, if that is too long",
        )
    } else {
        Finding::ok(
            "backlog",
            format!("of the jobs looked at the oldest has waited for {}", span(oldest)),
        )
    });
    Ok(found)
}
