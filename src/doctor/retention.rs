//! Ranges of ids and retention: what dispatch needs ahead, what should have gone, and what cannot go.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Check, Finding,
    finding::{counted, span},
    number,
};
use crate::{error::Result, statements::doctor::RETENTION};

pub(super) const CHECKS: &[Check] =
    &[Check { about: "ranges of ids and retention", statement: &RETENTION, judge: state }];

/// Beyond so many, new ones are so wide that their number hardly grows; each costs every call locks and time.
const MANY: i64 = 64;
/// What is past retention goes row by row after a third of it at the latest, and workers look every minute.
const LATE: f64 = 86_400.0;

fn state(rows: &[Row]) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else {
        return Ok(vec![Finding::error(
            "retention",
            "the settings are gone",
            "somebody deleted from fairclaim_internal.setting: restore its row",
        )]);
    };
    Ok(vec![ranges(row)?, retention(row)?, undeletable(row)?])
}

fn ranges(row: &Row) -> Result<Finding> {
    let Some(ahead) = row.try_get::<_, Option<f64>>("ahead")? else {
        return Ok(Finding::error("ranges", "there is no range of ids", "run `fairclaim migrate`"));
    };
    let (width, far, count): (f64, i64, i64) =
        (number(row, "width")?, number(row, "far")?, number(row, "ranges")?);
    let advice = "ticks make them ahead: see `ticks`. If ticks run, the server's log has what fails, and a transaction may \
                  hold a lock on fairclaim_internal.job";
    Ok(if !row.try_get::<_, bool>("covered")? {
        let seen = if ahead <= 0.0 {
            format!("ranges of ids ended {} ago; new jobs pile up in the last one", span(ahead))
        } else {
            format!("the clock is {} before the first range; new jobs pile up there", span(ahead))
        };
        Finding::error("ranges", seen, advice)
    } else if ahead < width {
        Finding::warning(
            "ranges",
            format!("ranges of ids reach only {} ahead", span(ahead)),
            advice,
        )
    } else if far > 0 {
        Finding::note(
            "ranges",
            format!("{far} of {count} lie far ahead: the clock was wrong when they were made"),
            "they go by themselves when they are empty, and are in nobody's way until then",
        )
    } else if count > MANY {
        Finding::warning(
            "ranges",
            format!("there are {count}; each costs every claim and dispatch locks"),
            "jobs that wait for long keep them (`fairclaim jobs list --status scheduled`), or a transaction that reads \
             fairclaim_internal.job and stays open: see `long_transaction`",
        )
    } else {
        Finding::ok("ranges", format!("{count}, which reach {} ahead", span(ahead)))
    })
}

fn retention(row: &Row) -> Result<Finding> {
    let kept: f64 = number(row, "retention")?;
    let (job, range): (Option<f64>, Option<f64>) =
        (row.try_get("job_overdue")?, row.try_get("range_overdue")?);
    // a job goes later than its retention, by a third of it, when its range could not be dropped
    let job = job.map(|overdue| overdue - kept / 3.0).filter(|overdue| *overdue > LATE);
    let width: f64 = number(row, "width")?;
    let range = range.filter(|overdue| *overdue > width.max(LATE));
    let worked = match row.try_get::<_, Option<f64>>("pruned_ago")? {
        Some(ago) => format!("prune() last worked {} ago", span(ago)),
        None => "prune() has never worked".to_owned(),
    };
    let kept = span(kept);
    Ok(if let Some(overdue) = job.or(range) {
        Finding::warning(
            "retention",
            format!(
                "finished jobs are kept for {kept}, and some should have gone {} ago; {worked}",
                span(overdue)
            ),
            "call `select * from fairclaim.drop_ranges()` and `select * from fairclaim.prune()` every minute or so (workers \
             do). If they run, see `undeletable` and `long_transaction`: a range that somebody reads is emptied and not dropped",
        )
    } else {
        Finding::ok("retention", format!("finished jobs are kept for {kept}"))
    })
}

fn undeletable(row: &Row) -> Result<Finding> {
    let count: i64 = number(row, "faults")?;
    if count == 0 {
        return Ok(Finding::ok("undeletable", "no job was found that cannot be deleted"));
    }
    let ids: Vec<Uuid> = row.try_get("fault_ids")?;
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let sqlstate: Option<&str> = row.try_get("fault_sqlstate")?;
    Ok(Finding::warning(
        "undeletable",
        format!(
            "{} past retention that cannot be deleted ({}): {}",
            counted(count, "job"),
            sqlstate.unwrap_or("?"),
            ids.join(", ")
        ),
        "a trigger or a foreign key of yours on fairclaim_internal.job, finished or attempt_error refuses it: the server's log has \
         its message. They are tried again every hour",
    ))
}
