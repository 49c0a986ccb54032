//! How long a light tenant's job waits: at most for what stands before it in the shared lanes, plus the quarter that own
//! lanes get meanwhile. Exactly that, for every job and every size of a claim.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::BIG;
use crate::calls::{
    Claimed, claim_job, claim_jobs, dispatch, dispatch_many, settle_all, tenant, tick,
};
use crate::support::{Client, TestDb};

/// What each small tenant dispatches, one by one: eight find room in the shared lane.
const JOBS: usize = 10;

/// Small tenants with consecutive uuids, and their jobs in the shared lane in the order in which they stand there.
struct Group {
    tenants: HashSet<Uuid>,
    shared: Vec<Uuid>,
}

impl Group {
    /// Tenant by tenant, each job in a dispatch of its own.
    async fn dispatch(db: &TestDb, number: u128, size: usize) -> Self {
        let (producer, owner) = (db.producer().await, db.owner().await);
        let tenants: Vec<Uuid> = (1..=size as u128).map(|n| tenant(1_000 * number + n)).collect();
        for &one in &tenants {
            for _ in 0..JOBS {
                dispatch(&producer, one, "mail").await;
            }
        }
        let sql = "select y.id from fairclaim_internal.ready y join fairclaim_internal.lane l using (lane_id) where l.tenant_id is null order by y.seq";
        let rows = owner.query(sql, &[]).await.expect("ready");
        assert_eq!(rows.len(), size * 8, "eight of each stand in the shared lane");
        Self {
            tenants: tenants.into_iter().collect(),
            shared: rows.iter().map(|row| row.get(0)).collect(),
        }
    }
}

/// One way to claim: how many at a time, and where the place in the round is kept.
struct Claimer {
    worker: Client,
    /// 0: `claim_job`, whose place is in the session.
    limit: i32,
    cursor: Option<String>,
}

impl Claimer {
    async fn claim(&mut self) -> Vec<Claimed> {
        let got = match self.limit {
            0 => claim_job(&self.worker, "w").await.into_iter().collect(),
            limit => claim_jobs(&self.worker, limit, &mut self.cursor).await,
        };
        assert_eq!(got.len(), self.size(), "a claim is filled while a hundred thousand wait");
        got
    }

    fn size(&self) -> usize {
        usize::try_from(self.limit.max(1)).expect("small")
    }

    /// Of a stretch of claimed jobs, how long it is and how many come from shared lanes: n − ⌈n/4⌉ of a call, three of
    /// four claims of one.
    fn share(&self) -> (usize, usize) {
        match self.size() {
            1 => (4, 3),
            n => (n, n - n.div_ceil(4)),
        }
    }
}

/// Claims until the small tenants have nothing left. `spare`: how many claims may pass before the bound begins.
async fn check_bound(claimer: &mut Claimer, group: &Group, spare: usize) {
    let (stretch, of_shared) = claimer.share();
    let ahead_of: HashMap<Uuid, usize> = group.shared.iter().copied().zip(0..).collect();
    let (mut taken, mut served, mut from_own) = (Vec::new(), 0, 0);
    let mut own_jobs: HashMap<Uuid, usize> = HashMap::new();
    while served < group.tenants.len() * JOBS {
        let (got, before) = (claimer.claim().await, taken.len());
        for job in &got {
            let small = group.tenants.contains(&job.tenant);
            served += usize::from(small);
            if let Some(ahead) = ahead_of.get(&job.id) {
                assert!(
                    before.max(spare) - spare <= ahead * stretch / of_shared,
                    "{ahead} stood before it, and it was claimed after {before} others"
                );
                continue;
            }
            // own lanes go round too, over the small tenants and the flood: the k-th job of each in the k-th round
            from_own += 1;
            let of_tenant = own_jobs.entry(job.tenant).or_default();
            *of_tenant += 1;
            assert!(
                !small || from_own <= *of_tenant * (group.tenants.len() + 1),
                "number {of_tenant} of a tenant's own lane came {from_own}th"
            );
        }
        taken.extend(got);
    }
    assert!(from_own >= taken.len() / 4, "own lanes got {from_own} of {} claims", taken.len());
    settle_all(&claimer.worker, &taken, "complete").await;
}

/// Until the lanes that ran empty are gone, and their tenants light again.
async fn close_empty_lanes(db: &TestDb, worker: &Client) {
    db.advance("20 s").await;
    for _ in 0..4 {
        tick(worker).await;
    }
}

#[tokio::test]
async fn single_dispatches_are_served_within_the_bound() {
    let db = TestDb::with_test_clock().await;
    dispatch_many(&db.producer().await, tenant(BIG), "default", "mail", 100_000).await;
    for (number, limit) in (1..).zip([0, 1, 10, 100]) {
        let mut claimer = Claimer { worker: db.worker().await, limit, cursor: None };
        // a claim of one goes on where its session is: here, behind the turn of own lanes
        let first = claimer.claim().await;
        settle_all(&claimer.worker, &first, "complete").await;
        let group = Group::dispatch(&db, number, 100).await;
        check_bound(&mut claimer, &group, 0).await;
        close_empty_lanes(&db, &claimer.worker).await;
    }
}

#[tokio::test]
async fn a_worker_that_has_just_started_may_begin_with_the_turn_of_own_lanes() {
    let db = TestDb::with_test_clock().await;
    dispatch_many(&db.producer().await, tenant(BIG), "default", "mail", 4_000).await;
    for number in 1..=6 {
        let group = Group::dispatch(&db, number, 20).await;
        let mut claimer = Claimer { worker: db.worker().await, limit: 0, cursor: None };
        check_bound(&mut claimer, &group, 1).await;
        close_empty_lanes(&db, &claimer.worker).await;
    }
}
