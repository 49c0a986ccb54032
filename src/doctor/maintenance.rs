//! Whether ticks run, and what they are there for: leases, floors.

use tokio_postgres::Row;

use super::{
    Check, Finding,
    finding::{counted, span},
    number,
};
use crate::{
    error::Result,
    statements::doctor::{FAULTS, HOLDERS, STATE, STRAYS, TICKERS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "the state of maintenance", statement: &STATE, judge: state },
    Check { about: "steps of tick that fail", statement: &FAULTS, judge: faults },
    Check { about: "ticks that do not end", statement: &TICKERS, judge: tickers },
    Check { about: "who holds floors back", statement: &HOLDERS, judge: holders },
    Check { about: "jobs without a lane", statement: &STRAYS, judge: strays },
];

/// A tick is due every half minute at least.
const TICK_LATE: f64 = 90.0;
const TICK_GONE: f64 = 300.0;
/// A lease that expired is returned within six seconds.
const LEASE_LATE: f64 = 30.0;
/// A transaction that dispatches or claims ends within seconds.
const HOLDER_LATE: f64 = 300.0;
/// A tick ends within seconds, and after twelve another one passes it.
const TICKER_LATE: f64 = 12.0;
/// How long a sequence that was behind is told of.
const MENDED_TOLD: f64 = 86_400.0;

fn state(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else {
        return Ok(vec![Finding::error(
            "ticks",
            "the state of the maintenance is gone",
            "somebody deleted from fairclaim_internal.tick_state or fairclaim_internal.setting: restore its row",
        )]);
    };
    Ok(vec![ticks(row)?, leases(row)?, numbers(row)?])
}

fn ticks(row: &Row) -> Result<Finding> {
    let sessions: i64 = number(row, "worker_sessions")?;
    let who = match sessions {
        0 => "no session of a worker is connected".to_owned(),
        1 => "a session of a worker is connected".to_owned(),
        n => format!("{n} sessions of workers are connected"),
    };
    let advice = "start a worker (`fairclaim work`), which ticks by itself, or have cron or pg_cron call `select * from \
                  fairclaim.tick()` every few seconds";
    let Some(age) = row.try_get::<_, Option<f64>>("tick_age")? else {
        return Ok(Finding::warning("ticks", format!("none has run yet; {who}"), advice));
    };
    let seen = format!("the last worked {} ago; {who}", span(age));
    Ok(if age > TICK_GONE {
        Finding::error("ticks", seen, advice)
    } else if age > TICK_LATE {
        Finding::warning("ticks", seen, advice)
    } else {
        Finding::ok("ticks", seen)
    })
}

fn leases(row: &Row) -> Result<Finding> {
    let (expired, running): (i64, i64) = (number(row, "expired")?, number(row, "running")?);
    let age = row.try_get::<_, Option<f64>>("expired_age")?.unwrap_or(0.0);
    if expired == 0 || age < LEASE_LATE {
        return Ok(Finding::ok(
            "leases",
            format!("{} running; none has waited for its return", counted(running, "job")),
        ));
    }
    Ok(Finding::warning(
        "leases",
        format!(
            "{} not returned though the lease has expired; the oldest expired {} ago",
            counted(expired, "job"),
            span(age)
        ),
        "ticks return them: see `ticks`. If ticks run, a transaction holds these rows: see `long_transaction`",
    ))
}

/// A copy of a database by logical replication has the rows and not the sequences.
fn numbers(row: &Row) -> Result<Finding> {
    let behind: i64 = number(row, "seq_behind")?;
    let mended = row.try_get::<_, Option<f64>>("mended_age")?;
    let advice = "a copy by logical replication has no sequences: set all of the schema fairclaim by setval before anybody \
                  dispatches. Jobs dispatched meanwhile wait until a tick has given them new numbers";
    Ok(match mended {
        _ if behind > 0 => Finding::error(
            "numbers",
            format!("the sequence ready_seq is {behind} behind; the next tick sets it"),
            advice,
        ),
        Some(age) if age < MENDED_TOLD => Finding::warning(
            "numbers",
            format!("the sequence ready_seq was behind; a tick has set it {} ago", span(age)),
            advice,
        ),
        _ => Finding::ok("numbers", "waiting jobs are numbered in order"),
    })
}

fn faults(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut failing = Vec::new();
    for row in rows {
        let passed: Vec<String> = row.try_get("passed")?;
        let jobs = match passed.as_slice() {
            [] => String::new(),
            ids => format!("; it passes over the jobs {}", ids.join(", ")),
        };
        failing.push(format!(
            "{}, for {}, SQLSTATE {}: {}{jobs}",
            row.try_get::<_, &str>("step")?,
            span(number(row, "seconds")?),
            row.try_get::<_, &str>("sqlstate")?,
            row.try_get::<_, &str>("note")?,
        ));
    }
    Ok(vec![if failing.is_empty() {
        Finding::ok("tick_steps", "none fails")
    } else {
        Finding::warning(
            "tick_steps",
            format!("steps of tick fail: {}", failing.join(" / ")),
            "take away what refuses it: a trigger, a lock, a short statement_timeout. The other steps go on, and this one is tried \
             again by every tick",
        )
    }])
}

fn tickers(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut late = Vec::new();
    for row in rows {
        let seconds = row.try_get::<_, Option<f64>>("seconds")?;
        // a transaction that this login may not see has no age: then it counts when others have passed it
        let passed: bool = row.try_get("passed")?;
        if seconds.map_or(passed, |seconds| seconds > TICKER_LATE) {
            late.push(match (row.try_get::<_, Option<i32>>("pid")?, row.try_get("gid")?) {
                (Some(pid), _) => format!(
                    "pid {pid} of {} ({})",
                    row.try_get::<_, Option<&str>>("login")?.unwrap_or("?"),
                    row.try_get::<_, Option<&str>>("application")?.unwrap_or_default(),
                ),
                (None, Some(gid)) => format!("the prepared transaction {}", quoted(gid)),
                (None, None) => {
                    format!("transaction {}", row.try_get::<_, Option<&str>>("xid")?.unwrap_or("?"))
                }
            });
        }
    }
    Ok(vec![if late.is_empty() {
        Finding::ok("open_ticks", "every tick has ended its transaction")
    } else {
        Finding::warning(
            "open_ticks",
            format!("transactions that called tick() stay open: {}", late.join("; ")),
            "commit or roll back there: call tick() outside of a transaction. Other ticks pass it after 12 s, without the rows that it \
             holds",
        )
    }])
}

/// A name that its owner has chosen, so that it cannot be taken for anything else.
fn quoted(name: &str) -> String {
    format!("{name:?}")
}

fn holders(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut late = Vec::new();
    for row in rows {
        let seconds: f64 = number(row, "seconds")?;
        if seconds > HOLDER_LATE {
            late.push(match row.try_get::<_, Option<i32>>("pid")? {
                Some(pid) => format!(
                    "pid {pid} of {} ({}), for {}",
                    row.try_get::<_, Option<&str>>("login")?.unwrap_or("?"),
                    row.try_get::<_, Option<&str>>("application")?.unwrap_or_default(),
                    span(seconds),
                ),
                None => {
                    format!("a prepared or just ended transaction, for {}", span(seconds))
                }
            });
        }
    }
    Ok(vec![if late.is_empty() {
        Finding::ok("floors", "no open transaction holds them back")
    } else {
        Finding::warning(
            "floors",
            format!("transactions that have dispatched or claimed stay open: {}", late.join("; ")),
            "commit or roll back there, or end it: select pg_terminate_backend(pid). Claims get slower meanwhile, never wrong",
        )
    }])
}

fn strays(rows: &[Row]) -> Result<Vec<Finding>> {
    let count: i64 = rows.first().map_or(Ok(0), |row| number(row, "rows"))?;
    Ok(vec![if count == 0 {
        Finding::ok("strays", "every waiting job stands in a lane")
    } else {
        Finding::warning(
            "strays",
            format!("{} in no lane, which no claim finds", counted(count, "waiting job")),
            "ticks put them back within minutes; if they stay, report it",
        )
    }])
}
