//! A database with a session for every role, and what the tests of states ask it.

use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_job, dispatch_object, tenant, tick},
    support::{Client, TestDb},
};

/// One database with a session for every role, and what the tests ask it.
pub(super) struct Stage {
    pub(super) db: TestDb,
    pub(super) producer: Client,
    pub(super) worker: Client,
    pub(super) auditor: Client,
    pub(super) owner: Client,
}

/// What the view says about one job.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: String,
    pub(super) attempts: i32,
    pub(super) attempts_left: Option<i32>,
    pub(super) lost: Option<i32>,
}

impl Seen {
    pub(super) fn waiting(status: &str, attempts: i32, attempts_left: i32, lost: i32) -> Self {
        Self {
            status: status.to_owned(),
            attempts,
            attempts_left: Some(attempts_left),
            lost: Some(lost),
        }
    }

    pub(super) fn ended(status: &str, attempts: i32) -> Self {
        Self { status: status.to_owned(), attempts, attempts_left: None, lost: None }
    }
}

impl Stage {
    pub(super) async fn set() -> Self {
        let db = TestDb::with_test_clock().await;
        let (producer, worker, auditor, owner) =
            (db.producer().await, db.worker().await, db.auditor().await, db.owner().await);
        Self { db, producer, worker, auditor, owner }
    }

    pub(super) async fn job(&self, max_attempts: i32) -> Uuid {
        let job = json!({"tenant_id": tenant(1), "type": "mail", "max_attempts": max_attempts});
        dispatch_object(&self.producer, job).await
    }

    pub(super) async fn claim(&self) -> Claimed {
        claim_job(&self.worker, "worker").await.expect("a job is due")
    }

    /// Claims a job whose workers died twice, which nobody gets who does not ask for one.
    pub(super) async fn claim_alone(&self) -> Claimed {
        self.nothing_to_claim().await;
        let sql = "select * from fairclaim.claim_jobs('worker', null, 10, p_alone => true)";
        Claimed::from(&self.worker.query_one(sql, &[]).await.expect("one job"))
    }

    pub(super) async fn nothing_to_claim(&self) {
        assert!(claim_job(&self.worker, "worker").await.is_none());
    }

    pub(super) async fn seen(&self, id: Uuid) -> Seen {
        let sql =
            "select status, attempts, attempts_left, lost from fairclaim.job_queue where id = $1";
        let row = self.auditor.query_one(sql, &[&id]).await.expect("job_queue");
        Seen {
            status: row.get(0),
            attempts: row.get(1),
            attempts_left: row.get(2),
            lost: row.get(3),
        }
    }

    /// An existing job has exactly one row among the tables of states.
    pub(super) async fn one_place_each(&self) {
        let sql = "select count(*) from fairclaim_internal.job j where 1 <>
                     (select count(*) from fairclaim_internal.ready y where y.id = j.id) + (select count(*) from fairclaim_internal.scheduled s where s.id = j.id)
                   + (select count(*) from fairclaim_internal.running r where r.id = j.id) + (select count(*) from fairclaim_internal.finished f where f.id = j.id)";
        let row = self.owner.query_one(sql, &[]).await.expect("the tables of states");
        assert_eq!(row.get::<_, i64>(0), 0, "jobs in no place or in two");
    }

    /// The errors in the history of a job, by attempt.
    pub(super) async fn history(&self, id: Uuid) -> Vec<(i32, Value)> {
        let sql = "select attempt::int, error from fairclaim_internal.attempt_error where id = $1 order by attempt";
        let rows = self.owner.query(sql, &[&id]).await.expect("attempt_error");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(super) async fn later(&self, interval: &str) {
        self.db.advance(interval).await;
        tick(&self.worker).await;
    }

    pub(super) async fn change(&self, function: &str, ids: &[Uuid]) -> Vec<Option<String>> {
        let sql = format!("select id, status from fairclaim.{function}($1, $2)");
        let rows = self.producer.query(&sql, &[&tenant(1), &ids]).await.expect("change");
        assert_eq!(
            rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(),
            ids,
            "a row for every id, in order"
        );
        rows.iter().map(|row| row.get(1)).collect()
    }

    pub(super) async fn extend(&self, job: &Claimed, lease: &str) -> (bool, bool) {
        let row: Row = self
            .worker
            .query_one(
                "select accepted, cancel_requested
                   from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid], extract(epoch from $4::text::interval)::float8)",
                &[&job.id, &job.attempts, &job.token, &lease],
            )
            .await
            .expect("extend_leases");
        (row.get(0), row.get(1))
    }
}

/// A status as the functions answer it.
#[expect(clippy::unnecessary_wraps, reason = "what it is compared with is null for a stranger")]
pub(super) fn status(text: &str) -> Option<String> {
    Some(text.to_owned())
}
