//! Ranges of ids and retention: what dispatch needs ahead, and what should have gone.

use tokio_postgres::Row;

use super::{Check, Finding, finding::span, number};
use crate::{error::Result, statements::doctor::STATE};

pub(super) const CHECKS: &[Check] =
    &[Check { about: "ranges of ids and retention", statement: &STATE, judge: state }];

fn state(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    Ok(vec![ranges(row)?, retention(row)?])
}

fn ranges(row: &Row) -> Result<Finding> {
    let Some(ahead) = row.try_get::<_, Option<f64>>("ranges_ahead")? else {
        return Ok(Finding::error("ranges", "there is no range of ids", "run `fairclaim migrate`"));
    };
    let width: f64 = number(row, "range_width")?;
    let advice = "ticks make them ahead: see `ticks`. If ticks run, the server's log has what fails, and a transaction may \
                  hold a lock on fairclaim.job";
    Ok(if ahead <= 0.0 {
        Finding::error(
            "ranges",
            format!("ranges of ids ended {} ago; new jobs pile up in the last one", span(ahead)),
            advice,
        )
    } else if ahead < width {
        Finding::warning(
            "ranges",
            format!("ranges of ids reach only {} ahead", span(ahead)),
            advice,
        )
    } else {
        Finding::ok("ranges", format!("they reach {} ahead", span(ahead)))
    })
}

fn retention(row: &Row) -> Result<Finding> {
    let (overdue, width): (Option<f64>, f64) =
        (row.try_get("overdue")?, number(row, "range_width")?);
    let kept = span(number(row, "retention")?);
    Ok(match overdue {
        Some(overdue) if overdue > width.max(86_400.0) => Finding::warning(
            "retention",
            format!(
                "finished jobs are kept for {kept}, and some should have gone {} ago",
                span(overdue)
            ),
            "call `select * from fairclaim.prune()` every few minutes (workers do); it drops nothing that an unfinished job \
             or an open transaction needs",
        ),
        _ => Finding::ok("retention", format!("finished jobs are kept for {kept}")),
    })
}
