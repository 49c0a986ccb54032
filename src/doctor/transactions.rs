//! Old snapshots: while one is held, no dead row behind it can be removed, and every queue table grows.

use tokio_postgres::Row;

use super::{Check, Finding, finding::span, number};
use crate::{
    error::Result,
    statements::doctor::{PREPARED, SEES_OTHERS, SLOTS, TRANSACTIONS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "the sessions of others", statement: &SEES_OTHERS, judge: sees_others },
    Check { about: "open transactions", statement: &TRANSACTIONS, judge: open },
    Check { about: "prepared transactions", statement: &PREPARED, judge: prepared },
    Check { about: "replication slots", statement: &SLOTS, judge: slots },
];

const LONG: f64 = 300.0;
/// Transactions that a slot may lag behind.
const SLOT_BEHIND: i64 = 1_000_000;

fn sees_others(rows: &[Row]) -> Result<Vec<Finding>> {
    let sees = rows.first().map_or(Ok(true), |row| number(row, "sees"))?;
    Ok(if sees {
        Vec::new()
    } else {
        vec![Finding::note(
            "unseen",
            "this login sees its own sessions only: an old transaction of another would not show",
            "as an administrator grant pg_read_all_stats (or pg_monitor) to this login",
        )]
    })
}

fn open(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut long = Vec::new();
    for row in rows {
        let seconds: f64 = number(row, "seconds")?;
        if seconds < LONG {
            continue;
        }
        long.push(format!(
            "pid {} of {} ({}), {}, open for {}",
            number::<i32>(row, "pid")?,
            row.try_get::<_, Option<&str>>("login")?.unwrap_or("the server"),
            row.try_get::<_, Option<&str>>("application")?.unwrap_or_default(),
            row.try_get::<_, Option<&str>>("state")?.unwrap_or("at work"),
            span(seconds),
        ));
    }
    Ok(vec![if long.is_empty() {
        Finding::ok("long_transaction", "none that this login sees is older than 5 min")
    } else {
        Finding::warning(
            "long_transaction",
            long.join("; "),
            "dead rows of every table stay until it ends: commit or roll back there, or select pg_terminate_backend(pid); \
             set idle_in_transaction_session_timeout for that login",
        )
    }])
}

fn prepared(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(oldest) = rows.first() else { return Ok(Vec::new()) };
    let seconds: f64 = number(oldest, "seconds")?;
    let seen = format!(
        "{} prepared transactions; the oldest is of {}, {} old",
        number::<i64>(oldest, "all_of_them")?,
        oldest.try_get::<_, &str>("login")?,
        span(seconds),
    );
    let advice = "see pg_prepared_xacts, then commit prepared or rollback prepared as its owner: it outlives every session";
    Ok(vec![if seconds > LONG {
        Finding::warning("prepared_transaction", seen, advice)
    } else {
        Finding::note("prepared_transaction", seen, advice)
    }])
}

fn slots(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for row in rows {
        found.extend(slot(&Slot {
            name: row.try_get("name")?,
            active: row.try_get("active")?,
            behind: row.try_get::<_, Option<i64>>("behind")?.unwrap_or(0),
            holds_rows: row.try_get("holds_rows")?,
            wal: row.try_get("wal")?,
        }));
    }
    Ok(found)
}

/// What pg_replication_slots says of one.
struct Slot<'a> {
    name: &'a str,
    active: bool,
    behind: i64,
    holds_rows: bool,
    wal: &'a str,
}

fn slot(slot: &Slot<'_>) -> Option<Finding> {
    let idle = !slot.active && slot.holds_rows;
    let lost = matches!(slot.wal, "lost" | "unreserved");
    let used = if slot.active { "in use" } else { "not in use" };
    (slot.behind > SLOT_BEHIND || idle || lost).then(|| {
        Finding::warning(
            "replication_slot",
            format!("slot {} is {used} and {} transactions behind", slot.name, slot.behind),
            "bring its reader back, or select pg_drop_replication_slot(…) if nobody needs it: it keeps dead rows and WAL",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_keeps_rows_without_a_reader_is_found() {
        let well =
            || Slot { name: "a", active: true, behind: 5, holds_rows: true, wal: "reserved" };
        assert_eq!(slot(&well()), None);
        assert_eq!(slot(&Slot { active: false, holds_rows: false, ..well() }), None);
        assert!(slot(&Slot { active: false, ..well() }).is_some());
        assert!(slot(&Slot { behind: SLOT_BEHIND + 1, ..well() }).is_some());
        assert!(slot(&Slot { wal: "lost", ..well() }).is_some());
    }
}
