//! Retention: what goes is past it, and once nothing more goes nothing is left that should have gone.

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

/// Which jobs may go, and which of these must.
struct Past {
    may: BTreeSet<Uuid>,
    must: BTreeSet<Uuid>,
}

impl Model {
    /// Jobs that ended before the retention began may go. Those must whose id is old as well: an operator's retention means the
    /// same time, that of the settings leaves a third of it for ranges to be dropped whole.
    fn past(&self, hours: Option<u32>) -> Past {
        let retention = i64::from(hours.unwrap_or(RETENTION)) * 3600 * SECOND;
        let before = self.now - retention;
        let old = if hours.is_none() { before - retention / 3 } else { before };
        let has_ended = |place: &Place| matches!(place, Place::Finished(fact) if fact.at < before);
        let is_old = |id: &Uuid| i64::try_from(id.as_u128() >> 80).expect("48 bits") < old / 1000;
        let may: BTreeSet<Uuid> =
            self.jobs.iter().filter(|(_, job)| has_ended(&job.place)).map(|(id, _)| *id).collect();
        Past { must: may.iter().copied().filter(is_old).collect(), may }
    }
}

/// Prunes until nothing goes any more.
pub(super) async fn prune(
    database: &Database,
    model: &mut Model,
    hours: Option<u32>,
) -> Result<(), String> {
    let past = model.past(hours);
    for _ in 0..TRIES {
        while prune_once(database, hours).await? {}
        let there = ids(database).await?;
        if let Some(gone) =
            model.jobs.keys().find(|id| !there.contains(id) && !past.may.contains(id))
        {
            return Err(format!("{gone} was pruned before its time: {:?}", model.jobs[gone]));
        }
        if past.must.is_disjoint(&there) {
            model.jobs.retain(|id, _| there.contains(id));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{:?} are past retention and still there", past.must))
}

/// Whether there is more to do.
async fn prune_once(database: &Database, hours: Option<u32>) -> Result<bool, String> {
    let argument = hours.map_or(String::new(), |hours| (3600 * hours).to_string());
    let session = if hours.is_some() { &database.operator } else { &database.workers[0] };
    let ask = async |sql: &str| {
        let row = session.query_one(sql, &[]).await.map_err(|error| format!("{sql}: {error:?}"))?;
        Ok::<bool, String>(row.get(0))
    };
    let drop = format!("select ranges_dropped > 0 from fairclaim.drop_ranges({argument})");
    let prune = format!("select more or busy from fairclaim.prune({argument})");
    Ok(ask(&drop).await? | ask(&prune).await?)
}

async fn ids(database: &Database) -> Result<BTreeSet<Uuid>, String> {
    let rows = database.owner.query("select id from fairclaim_internal.job", &[]).await;
    Ok(rows.map_err(|error| format!("{error:?}"))?.iter().map(|row| row.get(0)).collect())
}
