//! `settle_and_claim`: a worker's round trip. Two halves, one call, one transaction.

use std::collections::HashMap;

use tokio_postgres::{Error, IsolationLevel, Row};
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, dispatch, dispatch_many, refused, tenant},
    support::{Client, GenericClient, TestDb},
};

/// One call: what it settles, and how it claims.
#[derive(Debug, Clone, Default)]
struct Call {
    ids: Option<Vec<Uuid>>,
    attempts: Option<Vec<i32>>,
    tokens: Option<Vec<Uuid>>,
    outcomes: Option<Vec<String>>,
    limit: Option<i32>,
    cursor: Option<String>,
}

impl Call {
    /// Settles nothing.
    fn claim(limit: i32) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// Settles these with one outcome, and claims.
    fn settle(jobs: &[Claimed], outcome: &str, limit: i32) -> Self {
        Self {
            ids: Some(jobs.iter().map(|job| job.id).collect()),
            attempts: Some(jobs.iter().map(|job| job.attempts).collect()),
            tokens: Some(jobs.iter().map(|job| job.token).collect()),
            outcomes: Some(vec![outcome.to_owned(); jobs.len()]),
            ..Self::claim(limit)
        }
    }

    fn at(self, cursor: Option<String>) -> Self {
        Self { cursor, ..self }
    }

    async fn rows(&self, session: &impl GenericClient) -> Result<Vec<Row>, Error> {
        let sql = "select * from fairclaim.settle_and_claim('worker', $1, $2, $3, $4, null, null, null, null, $5,
                     p_lease => '5 min', p_cursor => $6)";
        let Self { ids, attempts, tokens, outcomes, limit, cursor } = self;
        session.query(sql, &[ids, attempts, tokens, outcomes, limit, cursor]).await
    }

    async fn make(&self, session: &impl GenericClient) -> Answer {
        Answer::read(&self.rows(session).await.expect("settle_and_claim"))
    }
}

/// The rows of a call by kind.
#[derive(Debug, Default)]
struct Answer {
    settled: Vec<(Uuid, bool, Option<String>)>,
    claimed: Vec<Claimed>,
    cursor: Option<String>,
}

impl Answer {
    fn read(rows: &[Row]) -> Self {
        let mut answer = Self::default();
        for row in rows {
            match row.get("kind") {
                "settled" => {
                    answer.settled.push((row.get("id"), row.get("accepted"), row.get("status")));
                }
                "claimed" => {
                    answer.claimed.push(Claimed::from(row));
                    answer.cursor = row.get("next_cursor");
                }
                other => panic!("a row of kind {other}"),
            }
        }
        answer
    }

    /// The one job that was claimed.
    fn job(&self) -> &Claimed {
        assert_eq!(self.claimed.len(), 1, "{self:?}");
        &self.claimed[0]
    }
}

/// A settlement that was accepted.
fn accepted(job: &Claimed, status: &str) -> (Uuid, bool, Option<String>) {
    (job.id, true, Some(status.to_owned()))
}

/// How many jobs have each status, as an auditor sees it.
async fn statuses(db: &TestDb) -> HashMap<String, i64> {
    let sql = "select status, count(*) from fairclaim.job_overview group by status";
    let rows = db.auditor().await.query(sql, &[]).await.expect("job_overview");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn counts(expected: &[(&str, i64)]) -> HashMap<String, i64> {
    expected.iter().map(|&(status, count)| (status.to_owned(), count)).collect()
}

/// A database in which the session holds the first jobs of one tenant; the others wait.
async fn stage(held: i32, waiting: i32) -> (TestDb, Client, Vec<Claimed>) {
    let db = TestDb::new().await;
    dispatch_many(&db.producer().await, tenant(1), "default", "mail", held + waiting).await;
    let worker = db.worker().await;
    let jobs = claim_jobs(&worker, held, &mut None).await;
    assert_eq!(jobs.len(), usize::try_from(held).expect("a count"));
    (db, worker, jobs)
}

#[tokio::test]
async fn a_row_is_of_one_kind_and_has_the_columns_of_that_kind() {
    let (_db, worker, jobs) = stage(2, 2).await;
    let rows = Call::settle(&jobs, "complete", 5).rows(&worker).await.expect("settle_and_claim");
    let kinds: Vec<&str> = rows.iter().map(|row| row.get("kind")).collect();
    assert_eq!(kinds, ["settled", "settled", "claimed", "claimed"]);

    let names: Vec<&str> = rows[0].columns().iter().map(tokio_postgres::Column::name).collect();
    let claim = worker.prepare("select * from fairclaim.claim_jobs('w', null, 1)").await;
    let claim = claim.expect("prepare");
    let of_claim: Vec<&str> = claim.columns().iter().map(tokio_postgres::Column::name).collect();
    assert_eq!(names[..2], ["kind", "accepted"]);
    assert_eq!(names[2..], of_claim, "the rest is what claim_jobs answers");

    // as json, so that every column can be asked for whatever its type
    let sql = "select to_jsonb(c) - 'kind' from fairclaim.settle_and_claim('worker', $1, $2, $3, $4, null, null, null, null, 0) c";
    let again = Call::settle(&jobs[..1], "complete", 0);
    let row = worker
        .query_one(sql, &[&again.ids, &again.attempts, &again.tokens, &again.outcomes])
        .await
        .expect("settle_and_claim");
    let settled: serde_json::Value = row.get(0);
    let filled: Vec<&String> = settled
        .as_object()
        .expect("a row")
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(filled, ["accepted", "id"], "a stale settlement has no status either");

    for (row, job) in rows.iter().zip(&jobs) {
        assert_eq!(row.get::<_, Uuid>("id"), job.id, "in the order given");
        assert_eq!(row.get::<_, Option<bool>>("accepted"), Some(true));
        assert_eq!(row.get::<_, &str>("status"), "completed");
        assert_eq!(row.get::<_, Option<Uuid>>("tenant_id"), None);
        assert_eq!(row.get::<_, Option<Uuid>>("lease_token"), None);
        assert_eq!(row.get::<_, Option<&str>>("next_cursor"), None);
    }
    for row in &rows[2..] {
        assert_eq!(row.get::<_, Option<bool>>("accepted"), None);
        assert_eq!(row.get::<_, &str>("status"), "processing");
        assert_eq!(row.get::<_, &str>("worker_id"), "worker");
        assert_eq!(row.get::<_, Option<Uuid>>("tenant_id"), Some(tenant(1)));
        assert!(row.get::<_, Option<Uuid>>("lease_token").is_some());
        assert!(row.get::<_, Option<&str>>("next_cursor").is_some());
    }
}

#[tokio::test]
async fn empty_or_missing_ids_leave_the_settlement_out() {
    let (db, worker, _) = stage(1, 2).await;
    let empty = Call::settle(&[], "complete", 1).make(&worker).await;
    assert_eq!((empty.settled.len(), empty.claimed.len()), (0, 1));
    let missing = Call::claim(1).make(&worker).await;
    assert_eq!((missing.settled.len(), missing.claimed.len()), (0, 1));
    assert_eq!(statuses(&db).await, counts(&[("processing", 3)]));
    let nothing = Call::claim(1).make(&worker).await;
    assert!(nothing.claimed.is_empty() && nothing.cursor.is_none());
}

#[tokio::test]
async fn a_limit_of_0_leaves_the_claim_out() {
    let (db, worker, jobs) = stage(1, 1).await;
    let answer = Call::settle(&jobs, "complete", 0).make(&worker).await;
    assert_eq!(answer.settled, [accepted(&jobs[0], "completed")]);
    assert!(answer.claimed.is_empty());
    assert!(Call::claim(0).rows(&worker).await.expect("a call for nothing").is_empty());
    assert_eq!(statuses(&db).await, counts(&[("completed", 1), ("pending", 1)]));
}

#[tokio::test]
async fn both_halves_are_undone_by_a_rollback() {
    let (db, mut worker, jobs) = stage(2, 2).await;
    let open = worker.transaction().await.expect("begin");
    let answer = Call::settle(&jobs, "complete", 2).make(&open).await;
    assert_eq!((answer.settled.len(), answer.claimed.len()), (2, 2));
    assert_eq!(statuses(&db).await, counts(&[("processing", 2), ("pending", 2)]), "not yet");
    open.rollback().await.expect("rollback");
    assert_eq!(statuses(&db).await, counts(&[("processing", 2), ("pending", 2)]));

    let again = Call::settle(&jobs, "complete", 2).make(&worker).await;
    assert_eq!(
        again.settled,
        jobs.iter().map(|job| accepted(job, "completed")).collect::<Vec<_>>()
    );
    assert!(again.claimed.iter().all(|job| job.attempts == 1), "never claimed before: {again:?}");
    assert_eq!(statuses(&db).await, counts(&[("completed", 2), ("processing", 2)]));
}

/// A half that is refused takes the other one with it.
#[tokio::test]
async fn a_refused_half_undoes_the_other() {
    let (db, worker, jobs) = stage(1, 1).await;
    let settle = || Call::settle(&jobs, "complete", 1);
    let calls = [
        ("p_limit", Call { limit: None, ..settle() }),
        ("p_limit", Call { limit: Some(-1), ..settle() }),
        ("p_limit", Call { limit: Some(1001), ..settle() }),
        ("p_cursor", settle().at(Some("somewhere".to_owned()))),
        ("p_outcomes[0]", Call::settle(&jobs, "completed", 1)),
        ("p_attempts", Call { attempts: Some(vec![1, 1]), ..settle() }),
        ("p_lease_tokens", Call { tokens: None, ..settle() }),
    ];
    for (field, call) in calls {
        let error = refused(call.rows(&worker).await, "JQ004");
        assert!(error.message().starts_with(&format!("{field}: ")), "{field}: {}", error.message());
        assert_eq!(statuses(&db).await, counts(&[("processing", 1), ("pending", 1)]), "{field}");
    }
    let answer = settle().make(&worker).await;
    assert_eq!(answer.settled, [accepted(&jobs[0], "completed")]);
    assert_eq!(answer.claimed.len(), 1);
}

#[tokio::test]
async fn a_claim_outside_read_committed_is_refused() {
    let (db, mut worker, jobs) = stage(1, 1).await;
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        for call in [Call::settle(&jobs, "complete", 1), Call::claim(1)] {
            let open = worker.build_transaction().isolation_level(level).start().await;
            let open = open.expect("begin");
            let error = refused(call.rows(&open).await, "JQ004");
            assert!(error.message().contains("read committed"), "{}", error.message());
            assert!(error.hint().is_some());
            open.rollback().await.expect("rollback");
        }
        assert_eq!(statuses(&db).await, counts(&[("processing", 1), ("pending", 1)]), "{level:?}");
    }
    // a settlement alone is none
    let open = worker.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let open = open.start().await.expect("begin");
    let answer = Call::settle(&jobs, "complete", 0).make(&open).await;
    assert_eq!(answer.settled, [accepted(&jobs[0], "completed")]);
    open.commit().await.expect("commit");
    assert_eq!(statuses(&db).await, counts(&[("completed", 1), ("pending", 1)]));
}

#[tokio::test]
async fn a_stale_settlement_does_not_stop_the_claim() {
    let (db, worker, jobs) = stage(3, 2).await;
    Call::settle(&jobs[..1], "complete", 0).make(&worker).await;
    let mut stale = jobs.clone();
    stale[1].token = Uuid::new_v4(); // somebody else's lease by now
    let answer = Call::settle(&stale, "complete", 1).make(&worker).await;
    let expected = [(jobs[0].id, false, None), (jobs[1].id, false, None)];
    assert_eq!(answer.settled[..2], expected);
    assert_eq!(answer.settled[2..], [accepted(&jobs[2], "completed")]);
    assert_eq!(answer.claimed.len(), 1);

    let all_stale = Call::settle(&stale, "fail", 1).make(&worker).await;
    assert!(all_stale.settled.iter().all(|(_, accepted, status)| !accepted && status.is_none()));
    assert_eq!(all_stale.claimed.len(), 1);
    assert_eq!(statuses(&db).await, counts(&[("completed", 2), ("processing", 3)]));
}

#[tokio::test]
async fn a_job_that_is_given_back_can_be_claimed_by_the_same_call() {
    let (_db, worker, jobs) = stage(1, 0).await;
    let answer = Call::settle(&jobs, "release", 1).make(&worker).await;
    assert_eq!(answer.settled, [accepted(&jobs[0], "pending")]);
    let job = answer.job();
    assert_eq!((job.id, job.attempts), (jobs[0].id, 2));
    assert_ne!(job.token, jobs[0].token);
}

/// Five backlogged tenants, one job a call: the cursor is the worker's place in the round, so each round serves them all once.
#[tokio::test]
async fn the_cursor_goes_round() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for n in 1..=5 {
        dispatch_many(&producer, tenant(n), "default", "mail", 10).await;
    }
    let (mut cursor, mut held, mut rounds) = (None, Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut served = Vec::new();
        for _ in 0..5 {
            let answer = Call::settle(&held, "complete", 1).at(cursor).make(&worker).await;
            assert!(answer.settled.iter().all(|(_, accepted, _)| *accepted));
            served.push(answer.job().tenant);
            cursor = answer.cursor;
            held = answer.claimed;
        }
        rounds.push(served);
    }
    let mut tenants = rounds[0].clone();
    tenants.sort_unstable();
    assert_eq!(tenants, (1..=5).map(tenant).collect::<Vec<_>>(), "everybody once in a round");
    assert!(rounds.iter().all(|round| *round == rounds[0]), "always in the same order: {rounds:?}");

    // it is the cursor of claim_jobs
    let next = claim_jobs(&worker, 1, &mut cursor).await;
    assert_eq!(next[0].tenant, rounds[0][0]);
    let answer = Call::claim(1).at(cursor).make(&worker).await;
    assert_eq!(answer.job().tenant, rounds[0][1]);
}

/// The answer to a call that found nothing has no row that could bring a cursor: the worker keeps the one it has.
#[tokio::test]
async fn a_worker_keeps_its_cursor_over_an_empty_answer() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let first = Call::claim(5).make(&worker).await;
    let cursor = first.cursor.clone();
    assert!(cursor.is_some());
    let dry = Call::settle(&first.claimed, "complete", 5).at(cursor.clone()).make(&worker).await;
    assert_eq!((dry.settled.len(), dry.claimed.len(), dry.cursor), (1, 0, None));
    let id = dispatch(&producer, tenant(2), "mail").await;
    assert_eq!(Call::claim(5).at(cursor).make(&worker).await.job().id, id);
}
