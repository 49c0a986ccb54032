//! Retention: what goes is past it, and once nothing more goes nothing is left that is.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::{
    database::Database,
    state::{Model, Place, SECOND},
};

/// The retention of the settings, in hours.
const RETENTION: u32 = 8;

/// A tick of the machine may hold a lock that a drop does not wait for; so many times somebody else may be in the way.
const TRIES: usize = 200;

impl Model {
    /// The jobs that are past retention: they ended before it, and the range of their id did too.
    fn past(&self, before: i64, ranges: &[(i64, i64)]) -> BTreeSet<Uuid> {
        let last = ranges.iter().map(|range| range.1).max();
        let range_is_past = |id: &Uuid| {
            let millis = i64::try_from(id.as_u128() >> 80).expect("48 bits");
            ranges.iter().any(|(from, to)| {
                (*from..*to).contains(&millis) && *to * 1000 < before && Some(*to) < last
            })
        };
        let has_ended = |place: &Place| matches!(place, Place::Finished(fact) if fact.at < before);
        let past = self.jobs.iter().filter(|(id, job)| has_ended(&job.place) && range_is_past(id));
        past.map(|(id, _)| *id).collect()
    }
}

/// Prunes until nothing goes any more.
pub(super) async fn prune(
    database: &Database,
    model: &mut Model,
    hours: Option<u32>,
) -> Result<(), String> {
    let sql =
        "select fairclaim.millis(starts_at), fairclaim.millis(ends_at) from fairclaim.id_range";
    let rows = database.owner.query(sql, &[]).await.map_err(|error| format!("{error:?}"))?;
    let ranges: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let before = model.now - i64::from(hours.unwrap_or(RETENTION)) * 3600 * SECOND;
    let past = model.past(before, &ranges);
    for _ in 0..TRIES {
        while prune_once(database, hours).await? {}
        let there = ids(database).await?;
        if let Some(gone) = model.jobs.keys().find(|id| !there.contains(id) && !past.contains(id)) {
            return Err(format!("{gone} was pruned before its time: {:?}", model.jobs[gone]));
        }
        if past.is_disjoint(&there) {
            model.jobs.retain(|id, _| !past.contains(id));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{past:?} are past retention and still there"))
}

/// Whether it did anything.
async fn prune_once(database: &Database, hours: Option<u32>) -> Result<bool, String> {
    let row = match hours {
        None => database.workers[0].query_one("select * from fairclaim.prune()", &[]).await,
        Some(hours) => {
            let sql = "select * from fairclaim.prune(make_interval(hours => $1))";
            let hours = i32::try_from(hours).expect("a few hours");
            database.operator.query_one(sql, &[&hours]).await
        }
    };
    let row = row.map_err(|error| format!("prune: {error:?}"))?;
    Ok(row.get::<_, i32>(0) > 0 || row.get::<_, i64>(1) > 0)
}

async fn ids(database: &Database) -> Result<BTreeSet<Uuid>, String> {
    let rows = database.owner.query("select id from fairclaim.job", &[]).await;
    Ok(rows.map_err(|error| format!("{error:?}"))?.iter().map(|row| row.get(0)).collect())
}
