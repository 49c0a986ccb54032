//! A claim that waits for a lock on a table until the lease that it would give is over: it takes nothing.

use std::time::Duration;

use tokio_postgres::Error;
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_job, dispatch, settle, tenant},
    support::{
        Client, TestDb,
        waiting::{process_of, until},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a call answers that begins while `ready` is locked, and is let through after so long by the database's clock.
pub(crate) async fn late(db: &TestDb, locked_for: &str, call: &str) -> Result<usize, Error> {
    let (owner, watcher) = (db.owner().await, db.direct_session("test_owner").await);
    owner.batch_execute("begin; lock table fairclaim_internal.ready").await.expect("lock");
    let worker = db.direct_session("test_worker").await;
    let process = process_of(&worker).await;
    let claim = async { worker.query(call, &[]).await.map(|rows| rows.len()) };
    let unlock = async {
        until("it waits", PATIENCE, || async {
            let waits = "select count(*) from pg_locks where pid = $1 and not granted";
            let row = watcher.query_one(waits, &[&process]).await.expect("pg_locks");
            (row.get::<_, i64>(0) > 0).then_some(())
        })
        .await;
        db.advance(locked_for).await;
        owner.batch_execute("commit").await.expect("commit");
    };
    tokio::join!(claim, unlock).0
}

/// Every way in which jobs are claimed.
const CLAIMS: [&str; 4] = [
    "select * from fairclaim.claim_job('late')",
    "select * from fairclaim.claim_jobs('late', null, 1)",
    "select * from fairclaim.claim_jobs('late', null, 10)",
    "select * from fairclaim.settle_and_claim('late', '{}', '{}', '{}', '{}', '{}', '{}', '{}', null, 10) c where c.kind = 'claimed'",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waited_for_longer_than_its_lease_takes_nothing() {
    let db = TestDb::with_test_clock().await;
    let id = dispatch(&db.producer().await, tenant(1), "mail").await;
    for claim in CLAIMS {
        let error = late(&db, "31 s", claim).await.expect_err(claim);
        let code = error.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("55P03"), "{claim}: {error}");
        let told = fairclaim::Error::from(error);
        assert!(told.is_transient(), "{claim}: {told}");
    }
    // the server tells of an error before it has let go of what the transaction locked
    let worker = db.worker().await;
    let job = until("it was left alone", PATIENCE, || claim_job(&worker, "in time")).await;
    assert_eq!((job.id, job.attempts, job.lost), (id, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waited_for_less_than_its_lease_takes_what_is_there() {
    for claim in CLAIMS {
        let db = TestDb::with_test_clock().await;
        dispatch(&db.producer().await, tenant(1), "mail").await;
        assert_eq!(late(&db, "29 s", claim).await.expect(claim), 1, "{claim}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_late_claim_was_to_settle_can_be_settled_afterwards() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker): (Client, Client) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let held: Claimed = claim_job(&worker, "worker").await.expect("the job");
    dispatch(&producer, tenant(1), "mail").await;
    let uuid = |id: Uuid| format!("array['{id}']::uuid[]");
    let call = format!(
        "select * from fairclaim.settle_and_claim('late', {}, array[{}], {}, '{{complete}}', null, null, null, null, 10)",
        uuid(held.id),
        held.attempts,
        uuid(held.token)
    );
    late(&db, "31 s", &call).await.expect_err("it is late");
    assert!(settle(&worker, &held, "complete").await.accepted, "nothing of it was done");
}
