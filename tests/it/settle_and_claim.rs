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
                     p_lease => 300, p_cursor => $6)";
        let Self { ids, attempts, tokens, outcomes, limit, cursor } = self;
        session.query(sql, &[ids, attempts, tokens, outcomes, limit, cursor]).await
    }

    async fn make(&self, session: &impl GenericClient) -> Answer {
        Answer::read(&self.rows(session).await.expect("settle_and_claim"))
    }
}

/// One settlement as it is answered: the job, the kind of the row, and the status.
type Settled = (Uuid, String, Option<String>);

/// The rows of a call by kind.
#[derive(Debug, Default)]
struct Answer {
    settled: Vec<Settled>,
    claimed: Vec<Claimed>,
    cursor: Option<String>,
    /// What the last row says: in how many seconds to claim, to extend and to tick.
    claim_in: f64,
    extend_in: f64,
    tick_in: f64,
    prune_due: bool,
    cancelled: Option<Vec<Uuid>>,
    suspect_waiting: bool,
}

impl Answer {
    fn read(rows: &[Row]) -> Self {
        let mut answer = Self::default();
        let (next, rows) = rows.split_last().expect("a last row");
        for row in rows {
            match row.get("kind") {
                "claimed" => answer.claimed.push(Claimed::from(row)),
                kind @ ("settled" | "already" | "stale") => {
                    answer.settled.push((row.get("id"), String::from(kind), row.get("status")));
                }
                other => panic!("a row of kind {other}"),
            }
        }
        assert_eq!(next.get::<_, &str>("kind"), "next", "always the last one");
        answer.cursor = next.get("next_cursor");
        answer.claim_in = next.get("next_claim_in");
        answer.extend_in = next.get("extend_in");
        answer.tick_in = next.get("tick_in");
        answer.prune_due = next.get("prune_due");
        answer.cancelled = next.get("cancelled");
        answer.suspect_waiting = next.get("suspect_waiting");
        answer
    }

    /// The one job that was claimed.
    fn job(&self) -> &Claimed {
        assert_eq!(self.claimed.len(), 1, "{self:?}");
        &self.claimed[0]
    }
}

/// A settlement that was accepted.
fn accepted(job: &Claimed, status: &str) -> Settled {
    (job.id, "settled".to_owned(), Some(status.to_owned()))
}

/// One that was accepted before.
fn already(job: &Claimed, status: &str) -> Settled {
    (job.id, "already".to_owned(), Some(status.to_owned()))
}

fn stale(job: &Claimed) -> Settled {
    (job.id, "stale".to_owned(), None)
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
    assert_eq!(kinds, ["settled", "settled", "claimed", "claimed", "next"]);

    let names: Vec<&str> = rows[0].columns().iter().map(tokio_postgres::Column::name).collect();
    let claim = worker.prepare("select * from fairclaim.claim_jobs('w', null, 1)").await;
    let claim = claim.expect("prepare");
    let of_claim: Vec<&str> = claim.columns().iter().map(tokio_postgres::Column::name).collect();
    assert_eq!(names[0], "kind");
    let last =
        ["next_claim_in", "extend_in", "tick_in", "prune_due", "cancelled", "suspect_waiting"];
    assert_eq!(names[1..names.len() - 6], of_claim, "then what claim_jobs answers");
    assert_eq!(names[names.len() - 6..], last);

    // as json, so that every column can be asked for whatever its type
    let sql = "select to_jsonb(c) - 'kind' from fairclaim.settle_and_claim('worker', $1, $2, $3, $4, null, null, null, null, 0) c";
    let again = Call::settle(&jobs[..1], "release", 0);
    let rows_again = worker
        .query(sql, &[&again.ids, &again.attempts, &again.tokens, &again.outcomes])
        .await
        .expect("settle_and_claim");
    let filled = |row: &Row| -> Vec<String> {
        let row: serde_json::Value = row.get(0);
        let filled = row.as_object().expect("a row").iter().filter(|(_, value)| !value.is_null());
        filled.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(filled(&rows_again[0]), ["attempts", "id"], "a stale one has no status");
    let next = ["extend_in", "next_claim_in", "prune_due", "suspect_waiting", "tick_in"];
    assert_eq!(filled(&rows_again[1]), next, "and no cursor, since none was given");

    for (row, job) in rows.iter().zip(&jobs) {
        assert_eq!(row.get::<_, Uuid>("id"), job.id, "in the order given");
        assert_eq!(row.get::<_, i32>("attempts"), job.attempts);
        assert_eq!(row.get::<_, &str>("status"), "completed");
        assert_eq!(row.get::<_, Option<Uuid>>("tenant_id"), None);
        assert_eq!(row.get::<_, Option<Uuid>>("lease_token"), None);
        assert_eq!(row.get::<_, Option<&str>>("next_cursor"), None);
    }
    for row in &rows[2..4] {
        assert_eq!(row.get::<_, &str>("status"), "processing");
        assert_eq!(row.get::<_, &str>("worker_id"), "worker");
        assert_eq!(row.get::<_, Option<Uuid>>("tenant_id"), Some(tenant(1)));
        assert!(row.get::<_, Option<Uuid>>("lease_token").is_some());
        assert_eq!(row.get::<_, Option<&str>>("next_cursor"), None, "it is in the last row");
    }
    assert!(rows[4].get::<_, Option<&str>>("next_cursor").is_some());
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
    assert!(nothing.claim_in > 0.0, "it is not worth asking at once");
}

#[tokio::test]
async fn a_limit_of_0_leaves_the_claim_out() {
    let (db, worker, jobs) = stage(1, 1).await;
    let answer = Call::settle(&jobs, "complete", 0).make(&worker).await;
    assert_eq!(answer.settled, [accepted(&jobs[0], "completed")]);
    assert!(answer.claimed.is_empty());
    let nothing = Call::claim(0).at(Some("default|7|0|0".to_owned())).make(&worker).await;
    assert!(nothing.settled.is_empty() && nothing.claimed.is_empty());
    assert_eq!(nothing.cursor.as_deref(), Some("default|7|0|0"), "it is kept");
    assert!(nothing.claim_in == 0.0, "nothing is known");
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
    let mut lost = jobs.clone();
    lost[1].token = Uuid::new_v4(); // somebody else's lease by now
    let answer = Call::settle(&lost, "complete", 1).make(&worker).await;
    assert_eq!(answer.settled[..2], [already(&jobs[0], "completed"), stale(&jobs[1])]);
    assert_eq!(answer.settled[2..], [accepted(&jobs[2], "completed")]);
    assert_eq!(answer.claimed.len(), 1);

    let all_stale = Call::settle(&lost, "fail", 1).make(&worker).await;
    assert_eq!(all_stale.settled, jobs.iter().map(stale).collect::<Vec<_>>());
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
            assert!(answer.settled.iter().all(|(_, kind, _)| kind == "settled"));
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

/// The answer to a call that found nothing brings the cursor back that was given.
#[tokio::test]
async fn a_worker_keeps_its_cursor_over_an_empty_answer() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let first = Call::claim(5).make(&worker).await;
    let cursor = first.cursor.clone();
    assert!(cursor.is_some());
    let dry = Call::settle(&first.claimed, "complete", 5).at(cursor.clone()).make(&worker).await;
    assert_eq!((dry.settled.len(), dry.claimed.len()), (1, 0));
    assert_eq!(dry.cursor, cursor);
    let id = dispatch(&producer, tenant(2), "mail").await;
    assert_eq!(Call::claim(5).at(cursor).make(&worker).await.job().id, id);
}

#[tokio::test]
async fn a_settlement_that_is_repeated_is_told_from_one_that_is_too_late() {
    let (db, worker, jobs) = stage(6, 0).await;
    let [completed, failed, cancelled, retried, released, other] = jobs.as_slice() else {
        panic!("six jobs")
    };
    let ends = [
        (completed, "complete", Some("completed")),
        (failed, "fail", Some("failed")),
        (cancelled, "cancel", Some("cancelled")),
        (retried, "retry", None),
        (released, "release", None),
    ];
    for (job, outcome, _) in ends {
        Call::settle(std::slice::from_ref(job), outcome, 0).make(&worker).await;
    }
    for (job, outcome, status) in ends {
        let again = Call::settle(std::slice::from_ref(job), outcome, 0).make(&worker).await;
        let expected = status.map_or_else(|| stale(job), |status| already(job, status));
        assert_eq!(again.settled, [expected], "{outcome}");
    }
    // another ending, another attempt, another worker
    for outcome in ["fail", "cancel", "retry", "snooze", "release"] {
        let delays = (outcome == "snooze").then(|| vec![1.0_f64]);
        let sql = "select kind from fairclaim.settle_jobs('worker', array[$1::uuid], array[1], array[$2::uuid], array[$3::text], p_delays => $4)";
        let row = worker
            .query_one(sql, &[&completed.id, &completed.token, &outcome, &delays])
            .await
            .expect("settle_jobs");
        assert_eq!(row.get::<_, &str>(0), "stale", "{outcome}");
    }
    let before = Claimed { attempts: completed.attempts - 1, ..completed.clone() };
    let answer = Call::settle(std::slice::from_ref(&before), "complete", 0).make(&worker).await;
    assert_eq!(answer.settled, [stale(&before)]);
    let sql = "select kind from fairclaim.settle_jobs('somebody', array[$1::uuid], array[1], array[$2::uuid], array['complete'])";
    let row = worker.query_one(sql, &[&completed.id, &completed.token]).await.expect("settle_jobs");
    assert_eq!(row.get::<_, &str>(0), "stale");
    // a batch of all kinds, and one that is there twice
    let batch = [completed.clone(), other.clone(), other.clone()];
    let answer = Call::settle(&batch, "complete", 0).make(&worker).await;
    let expected = [
        already(completed, "completed"),
        accepted(other, "completed"),
        already(other, "completed"),
    ];
    assert_eq!(answer.settled, expected);
    drop(db);
}

/// A job that was lost for the third time has failed in the same attempt, and its worker's own ending came too late.
#[tokio::test]
async fn a_failure_of_a_job_that_was_lost_is_stale() {
    let (db, worker, jobs) = stage(1, 0).await;
    let lost = "update fairclaim_internal.running set lost = 2, lease_expires_at = '-infinity'";
    db.owner().await.execute(lost, &[]).await.expect("a lease that ended");
    for _ in 0..200 {
        crate::calls::tick(&worker).await;
        if statuses(&db).await == counts(&[("failed", 1)]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let answer = Call::settle(&jobs, "fail", 0).make(&worker).await;
    assert_eq!(answer.settled, [stale(&jobs[0])]);
}

#[tokio::test]
async fn the_last_row_says_when_to_ask_again_to_tick_to_prune_and_to_extend() {
    let db = TestDb::with_test_clock().await;
    crate::notify::stop_clock(&db).await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 3).await;
    let first = Call::claim(2).make(&worker).await;
    assert!(first.claim_in == 0.0, "it brought all it asked for: {first:?}");
    assert!(first.tick_in == 0.0, "nobody has ticked yet");
    assert!((first.extend_in - 100.0).abs() < 1e-9, "a third of the lease: {first:?}");
    assert!(first.prune_due, "nobody has pruned yet");
    crate::calls::tick(&worker).await;
    let rest = Call::claim(2).make(&worker).await;
    assert_eq!(rest.claimed.len(), 1);
    assert!((rest.claim_in - 1.0).abs() < 1e-9, "ticks come every second: {rest:?}");
    assert!((rest.tick_in - 1.0).abs() < 1e-9, "{rest:?}");
    db.advance("400 ms").await;
    let later = Call::settle(&first.claimed, "complete", 2).make(&worker).await;
    assert!(
        (later.tick_in - 0.6).abs() < 1e-9 && (later.claim_in - later.tick_in).abs() < 1e-9,
        "{later:?}"
    );
    db.advance("700 ms").await;
    let due = Call::settle(&rest.claimed, "complete", 2).make(&worker).await;
    assert!(due.tick_in == 0.0 && due.claim_in > 0.0, "a tick is due: {due:?}");

    worker.batch_execute("select fairclaim.drop_ranges()").await.expect("drop_ranges");
    assert!(!Call::claim(2).make(&worker).await.prune_due, "somebody is at it");
    // nothing happens: until something can be due
    for _ in 0..40 {
        db.advance("1 s").await;
        crate::calls::tick(&worker).await;
    }
    let idle = Call::claim(2).make(&worker).await;
    assert!(
        (idle.claim_in - 30.0).abs() < 1e-9 && (idle.tick_in - idle.claim_in).abs() < 1e-9,
        "{idle:?}"
    );
    let delayed =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '5 s')";
    producer.execute(delayed, &[&tenant(1)]).await.expect("dispatch_job");
    let soon = Call::claim(2).make(&worker).await;
    assert!(soon.claim_in <= 6.0 && soon.tick_in <= 6.0, "a job is due sooner: {soon:?}");
    db.advance("2 minutes").await;
    assert!(!Call::claim(2).make(&worker).await.prune_due, "not while nothing happens");
    dispatch(&producer, tenant(1), "mail").await;
    assert!(Call::claim(2).make(&worker).await.prune_due, "a minute ago");
    db.advance("10 minutes").await;
    let row = crate::calls::tick(&worker).await;
    assert!(row.get::<_, bool>("prune_due"), "tick says so too");
}

#[tokio::test]
async fn the_last_row_names_the_jobs_of_this_worker_that_are_to_be_stopped() {
    let (db, worker, jobs) = stage(3, 0).await;
    assert_eq!(Call::claim(0).make(&worker).await.cancelled, None);
    let cancel = "select fairclaim.cancel_jobs($1, array[$2::uuid])";
    db.producer().await.execute(cancel, &[&tenant(1), &jobs[1].id]).await.expect("cancel_jobs");
    assert_eq!(Call::claim(0).make(&worker).await.cancelled, Some(vec![jobs[1].id]));
    let answer = Call::settle(&jobs[..1], "complete", 1).make(&worker).await;
    assert_eq!(answer.cancelled, Some(vec![jobs[1].id]));
    let sql = "select cancelled from fairclaim.settle_and_claim('somebody', null, null, null, null, null, null, null, null, 0)";
    let row = worker.query_one(sql, &[]).await.expect("settle_and_claim");
    assert_eq!(row.get::<_, Option<Vec<Uuid>>>(0), None, "another worker's");
    let answer = Call::settle(&jobs[1..2], "complete", 0).make(&worker).await;
    assert_eq!(answer.cancelled, None, "it has ended");
}

/// An application that forges what the halves hand to each other disturbs nobody.
#[tokio::test]
async fn what_a_session_has_set_itself_is_no_cursor() {
    let (_db, worker, _jobs) = stage(1, 1).await;
    let forged =
        "set fairclaim.freed = 'mine'; set fairclaim.noted = 'mine'; set fairclaim.turn = 'mine'";
    worker.batch_execute(forged).await.expect("set");
    assert_eq!(Call::claim(0).make(&worker).await.cursor, None);
    let cursor = Call::claim(5).make(&worker).await.cursor;
    assert!(cursor.expect("one").starts_with("default|"));
}
