//! Space: tables and indexes that hold more dead rows than live ones, and how far the counter of transactions has come.

use tokio_postgres::Row;

use super::{Check, Finding, finding::some, number};
use crate::{
    error::Result,
    statements::doctor::{TABLES, WRAPAROUND},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "tables' sizes", statement: &TABLES, judge: tables },
    Check { about: "the age of transactions", statement: &WRAPAROUND, judge: wraparound },
];

/// Below this size nobody cares.
const SMALL: i64 = 64 << 20;
/// A narrow row with its header, and an entry in each of two indexes, generously.
const ROW: i64 = 150;
/// The factor beyond which more than half-empty pages explain the size.
const BLOATED: i64 = 8;
/// The server forces vacuum at 200 million, and stops at two billion.
const OLD: i64 = 1_000_000_000;

fn tables(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut bloated = Vec::new();
    for row in rows {
        let count = |name: &str| number::<i64>(row, name);
        let (live, dead) = (count("live")?, count("dead")?);
        let (table, index) = (count("table_bytes")?, count("index_bytes")?);
        if is_bloated(live, table) || is_bloated(live, index) {
            bloated.push(format!(
                "{}: {} MiB and {} MiB of indexes for {live} rows, {dead} dead",
                row.try_get::<_, &str>("name")?,
                table >> 20,
                index >> 20,
            ));
        }
    }
    Ok(vec![if bloated.is_empty() {
        Finding::ok("bloat", "no queue table is much larger than its rows need")
    } else {
        Finding::warning(
            "bloat",
            some(&bloated),
            "end what keeps dead rows (`long_transaction`, `prepared_transaction`, `replication_slot`), then as the owner in a \
             quiet hour: reindex table concurrently …, and vacuum full for the table itself",
        )
    }])
}

fn is_bloated(live: i64, bytes: i64) -> bool {
    bytes > SMALL && bytes > live.saturating_mul(ROW).saturating_mul(BLOATED)
}

fn wraparound(rows: &[Row]) -> Result<Vec<Finding>> {
    Ok(vec![oldest(rows.first().map_or(Ok(0), |row| number(row, "age"))?)])
}

fn oldest(age: i64) -> Finding {
    let seen =
        format!("the oldest transaction id of this database is {} million old", age / 1_000_000);
    if age > OLD {
        Finding::error(
            "wraparound",
            seen,
            "end old transactions and slots and run vacuum now: the server stops accepting writes at two billion",
        )
    } else {
        Finding::ok("wraparound", seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_database_that_comes_near_the_end_of_its_transaction_ids_is_an_error() {
        assert_eq!(oldest(OLD).level, Level::Ok);
        let found = oldest(OLD + 700_000_000);
        assert_eq!(found.level, Level::Error);
        assert!(found.seen.contains("1700 million"), "{found:?}");
        assert!(found.advice.is_some_and(|advice| advice.contains("run vacuum now")));
    }

    #[test]
    fn a_table_is_bloated_by_what_its_rows_do_not_explain() {
        assert!(!is_bloated(0, SMALL), "small");
        assert!(is_bloated(1_000, SMALL + 1));
        assert!(!is_bloated(1_000_000, SMALL + 1));
    }
}
