//! Whether ticks run, and what they are there for: leases, floors.

use tokio_postgres::Row;

use super::{Check, Finding, finding::span, number};
use crate::{
    error::Result,
    statements::doctor::{HOLDERS, STATE, STRAYS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "the state of maintenance", statement: &STATE, judge: state },
    Check { about: "who holds floors back", statement: &HOLDERS, judge: holders },
    Check { about: "jobs without a lane", statement: &STRAYS, judge: strays },
];

/// A tick is due every second, and its time is written down every five.
const TICK_LATE: f64 = 30.0;
const TICK_GONE: f64 = 300.0;
/// A lease that expired is returned within six seconds.
const LEASE_LATE: f64 = 30.0;
/// Ticks are about a second apart.
const HOLDER_LATE: i64 = 300;

fn state(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else {
        return Ok(vec![Finding::error(
            "ticks",
            "the state of the maintenance is gone",
            "somebody deleted from fairclaim.tick_state or fairclaim.setting: restore its row",
        )]);
    };
    Ok(vec![ticks(row)?, leases(row)?])
}

fn ticks(row: &Row) -> Result<Finding> {
    let sessions: i64 = number(row, "worker_sessions")?;
    let who = match sessions {
        0 => "no session of a worker is connected".to_owned(),
        1 => "a session of a worker is connected".to_owned(),
        n => format!("{n} sessions of workers are connected"),
    };
    let advice = "start a worker (`fairclaim work`), which ticks by itself, or have cron or pg_cron call `select * from \
                  fairclaim.tick()` every second or so";
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
            format!("{running} jobs run; none has waited for its return"),
        ));
    }
    Ok(Finding::warning(
        "leases",
        format!(
            "{expired} jobs whose lease has expired were not returned; the oldest expired {} ago",
            span(age)
        ),
        "ticks return them: see `ticks`. If ticks run, a transaction holds these rows: see `long_transaction`",
    ))
}

fn holders(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut late = Vec::new();
    for row in rows {
        let ticks: i64 = number(row, "ticks")?;
        if ticks > HOLDER_LATE {
            late.push(match row.try_get::<_, Option<i32>>("pid")? {
                Some(pid) => format!(
                    "pid {pid} of {} ({}), for {ticks} ticks",
                    row.try_get::<_, Option<&str>>("login")?.unwrap_or("?"),
                    row.try_get::<_, Option<&str>>("application")?.unwrap_or_default(),
                ),
                None => format!("a prepared or just ended transaction, for {ticks} ticks"),
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
            format!("{count} waiting jobs stand in no lane and are not claimed"),
            "ticks put them back within minutes; if they stay, report it",
        )
    }])
}
