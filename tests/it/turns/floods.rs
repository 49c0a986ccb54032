//! A tenant that floods several types, one dispatch a job, has no more than a few rows in front of the light ones: the
//! others stand in lanes of its own.

use super::BIG;
use crate::calls::{claim_jobs, dispatch, settle_all, tenant, tick};
use crate::support::{Client, TestDb};

const TYPES: [&str; 3] = ["mail", "report", "thumbnail"];

/// Where the flooding tenant's waiting jobs are.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    /// Of each shared lane there is, its type and how many of its rows are the tenant's.
    shared: Vec<(String, i64)>,
    /// In lanes of its own.
    own: i64,
}

impl Standing {
    async fn read(owner: &Client) -> Self {
        let sql = "select l.type, l.tenant_id is null as shared, count(y.id)
                     from fairclaim_internal.lane l left join fairclaim_internal.ready y on y.lane_id = l.lane_id and y.tenant_id = $1
                    where l.tenant_id is null or l.tenant_id = $1 group by l.lane_id order by l.type";
        let rows = owner.query(sql, &[&tenant(BIG)]).await.expect("lanes");
        let (shared, own): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.get("shared"));
        Self {
            shared: shared.iter().map(|row| (row.get(0), row.get(2))).collect(),
            own: own.iter().map(|row| row.get::<_, i64>(2)).sum(),
        }
    }

    /// One shared lane of each type, in all of them together a number of rows that fits, and all the others in own lanes.
    fn check(&self, fits: impl Fn(i64) -> bool, waiting: i64, what: &str) {
        let types: Vec<&str> = self.shared.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(types, TYPES, "{what}: one shared lane of each type: {self:?}");
        let shared: i64 = self.shared.iter().map(|&(_, rows)| rows).sum();
        assert!(fits(shared), "{what}: {self:?}");
        assert_eq!(self.own, waiting - shared, "{what}: all others stand in own lanes");
    }
}

/// The types in turn, one dispatch a job.
async fn flood(producer: &Client, count: usize) {
    for n in 0..count {
        dispatch(producer, tenant(BIG), TYPES[n % 3]).await;
    }
}

/// Serves everything that waits and lets the lanes close that this empties, so that the tenant is light again.
async fn serve_all(db: &TestDb, worker: &Client) {
    loop {
        let got = claim_jobs(worker, 1_000, &mut None).await;
        if got.is_empty() {
            break;
        }
        settle_all(worker, &got, "complete").await;
    }
    db.advance("20 s").await;
    for _ in 0..4 {
        tick(worker).await;
    }
}

#[tokio::test]
async fn a_flood_of_three_types_has_eight_rows_in_the_shared_lanes_together() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for wave in 0..3 {
        flood(&producer, 150).await;
        Standing::read(&owner).await.check(|rows| rows == 8, 150, &format!("wave {wave}"));
        // some are served, a tick goes by, and the flood goes on: it has lanes of its own now
        settle_all(&worker, &claim_jobs(&worker, 40, &mut None).await, "complete").await;
        tick(&worker).await;
        flood(&producer, 60).await;
        let standing = Standing::read(&owner).await;
        standing.check(|rows| rows <= 8, 150 - 40 + 60, &format!("wave {wave}, later"));
        serve_all(&db, &worker).await;
        Standing::read(&owner).await.check(
            |rows| rows == 0,
            0,
            &format!("all served, wave {wave}"),
        );
    }
}

#[tokio::test]
async fn a_flood_with_retries_has_sixteen_rows_in_the_shared_lanes_at_most() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for outcome in ["retry", "release", "snooze"] {
        // eight, which come back when their ids are older than what dispatch counts
        flood(&producer, 8).await;
        Standing::read(&owner).await.check(|rows| rows == 8, 8, outcome);
        let got = claim_jobs(&worker, 100, &mut None).await;
        assert_eq!(got.len(), 8);
        db.advance("40 s").await;
        tick(&worker).await;
        settle_all(&worker, &got, outcome).await;
        db.advance("1 s").await; // a snoozed job is due
        tick(&worker).await;
        flood(&producer, 60).await;
        let standing = Standing::read(&owner).await;
        // more than eight: this is meant to come near the bound
        standing.check(|rows| rows > 8 && rows <= 16, 8 + 60, outcome);

        // some of them come back once more, while the shared lanes have as many as they may
        let got = claim_jobs(&worker, 8, &mut None).await;
        assert_eq!(got.len(), 8);
        flood(&producer, 60).await;
        settle_all(&worker, &got, outcome).await;
        db.advance("1 s").await;
        tick(&worker).await;
        let standing = Standing::read(&owner).await;
        standing.check(|rows| rows <= 16, 8 + 60 + 60, &format!("{outcome}, twice"));
        serve_all(&db, &worker).await;
    }
}
