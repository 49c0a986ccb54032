//! Old snapshots: while one is held, no dead row behind it can be removed, and every queue table grows.

use tokio_postgres::Row;

use super::{Check, Finding, finding::span, number};
use crate::{
    error::Result,
    statements::doctor::{PREPARED, SEES_OTHERS, SLOTS, STANDBYS, TRANSACTIONS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "the sessions of others", statement: &SEES_OTHERS, judge: sees_others },
    Check { about: "open transactions", statement: &TRANSACTIONS, judge: open },
    Check { about: "prepared transactions", statement: &PREPARED, judge: prepared },
    Check { about: "replication slots", statement: &SLOTS, judge: slots },
    Check { about: "standbys", statement: &STANDBYS, judge: standbys },
];

const LONG: f64 = 300.0;
/// Transactions that a slot may lag behind.
const SLOT_BEHIND: i64 = 1_000_000;
/// Transactions since the oldest query of a standby began: about what a busy queue ends in the minutes after which a transaction is long.
const STANDBY_BEHIND: i64 = 100_000;

fn sees_others(rows: &[Row]) -> Result<Vec<Finding>> {
    let sees = rows.first().map_or(Ok(true), |row| number(row, "sees"))?;
    Ok(if sees {
        Vec::new()
    } else {
        vec![Finding::note(
            "unseen",
            "this login sees its own sessions only: an old transaction of another, or a standby that keeps rows, would not show",
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

fn standbys(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut all = Vec::new();
    for row in rows {
        all.push(Standby {
            pid: number(row, "pid")?,
            login: row.try_get("login")?,
            application: row.try_get("application")?,
            behind: number(row, "behind")?,
        });
    }
    Ok(feedback(&all).into_iter().collect())
}

/// What pg_stat_replication says of a standby whose feedback keeps dead rows.
struct Standby<'a> {
    pid: i32,
    login: Option<&'a str>,
    application: Option<&'a str>,
    behind: i64,
}

fn feedback(standbys: &[Standby<'_>]) -> Option<Finding> {
    if standbys.is_empty() {
        return None;
    }
    let far: Vec<String> = standbys
        .iter()
        .filter(|standby| standby.behind > STANDBY_BEHIND)
        .map(|standby| {
            format!(
                "pid {} of {} ({}), {} transactions behind",
                standby.pid,
                standby.login.unwrap_or("the server"),
                standby.application.unwrap_or_default(),
                standby.behind,
            )
        })
        .collect();
    Some(if far.is_empty() {
        Finding::ok("standby_feedback", "no standby keeps more than the rows of a moment")
    } else {
        Finding::warning(
            "standby_feedback",
            far.join("; "),
            "dead rows of every table stay for a query on that standby: look for old transactions in its pg_stat_activity and end them, \
             or set hot_standby_feedback = off there",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

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

    #[test]
    fn a_standby_whose_old_query_keeps_rows_is_found_by_its_process() {
        let of =
            |behind| Standby { pid: 42, login: Some("replica"), application: Some("west"), behind };
        assert_eq!(feedback(&[]), None);
        let level = |behind| feedback(&[of(1), of(behind)]).expect("a finding").level;
        assert_eq!(level(STANDBY_BEHIND), Level::Ok);
        assert_eq!(level(STANDBY_BEHIND + 1), Level::Warning);
        let found = feedback(&[of(1), of(7_000_000)]).expect("a finding");
        assert_eq!(found.seen, "pid 42 of replica (west), 7000000 transactions behind");
    }
}
