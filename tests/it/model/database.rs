//! The real queue: a database with a clock that stands still, and a session for each who takes part.

use super::{
    session::Session,
    state::{Model, WORKERS},
};
use crate::support::TestDb;

/// A mistake in one function: a part of its text, and what stands there instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutant {
    pub(crate) function: &'static str,
    pub(crate) text: &'static str,
    pub(crate) instead: &'static str,
}

/// A clock that only steps move: every time in the tables is known to the microsecond.
const STOPPED_CLOCK: &str = "
    create or replace function fairclaim.clock() returns timestamptz
    language sql volatile security definer set search_path = pg_catalog, pg_temp
    as $$ select timestamptz 'BASE' + t.shift from fairclaim_internal.test_clock t $$";

/// A job's way ends in one of few hours, so that steps reach it.
const SETTINGS: &str =
    "update fairclaim_internal.setting set retention = '8 hours', close_delay = '5 s'";

/// What a case leaves behind. After the drain little has rows, and so rows are deleted: a `truncate` would write new files for
/// every table and every range, and took longer than hundreds of steps.
const TABLES: [&str; 18] = [
    "job",
    "finished",
    "attempt_error",
    "ready",
    "running",
    "scheduled",
    "cancel_request",
    "lane",
    "floor_hint",
    "renewal",
    "running_limit",
    "limit_note",
    "at_limit",
    "bound",
    "tenant_weight",
    "weight_note",
    "audit",
    "queue",
];

/// A time as microseconds.
pub(super) fn micros(time: &str) -> String {
    format!("(extract(epoch from {time}) * 1000000)::bigint")
}

#[derive(Debug)]
pub(super) struct Database {
    pub(super) producer: Session,
    pub(super) workers: [Session; WORKERS.len()],
    pub(super) operator: Session,
    pub(super) auditor: Session,
    pub(super) owner: Session,
    db: TestDb,
}

impl Database {
    pub(super) async fn set_up(mutants: &[Mutant]) -> Self {
        let db = TestDb::with_test_clock().await;
        let owner = Session::that_looks_on(db.owner().await).await;
        let base: String = owner
            .query_one("select date_trunc('second', clock_timestamp())::text", &[])
            .await
            .expect("the time")
            .get(0);
        owner.batch_execute(&STOPPED_CLOCK.replace("BASE", &base)).await.expect("the clock");
        owner.batch_execute(SETTINGS).await.expect("settings");
        for mutant in mutants {
            mutate(&owner, mutant).await;
        }
        Self {
            producer: Session::new(db.producer().await),
            workers: [Session::new(db.worker().await), Session::new(db.worker().await)],
            operator: Session::new(db.operator().await),
            auditor: Session::that_looks_on(db.auditor().await).await,
            owner,
            db,
        }
    }

    /// Nothing of an earlier case is left but the numbers of the sequences, and the time: all that the new program knows.
    pub(super) async fn reset(&self) -> Model {
        for table in TABLES {
            let sql = format!("delete from fairclaim_internal.{table}");
            self.owner.execute(&sql, &[]).await.expect("reset");
        }
        let state =
            "delete from fairclaim_internal.tick_state; insert into fairclaim_internal.tick_state default values;
             delete from fairclaim_internal.prune_place; insert into fairclaim_internal.prune_place (asked) values (false), (true)";
        self.owner.batch_execute(state).await.expect("reset");
        loop {
            let sql = "select ranges_dropped from fairclaim.drop_ranges(3600)";
            let row = self.operator.query_one(sql, &[]).await.expect("drop_ranges");
            if row.get::<_, i32>(0) == 0 {
                break;
            }
        }
        for worker in &self.workers {
            worker.batch_execute("reset fairclaim.turn").await.expect("reset");
        }
        Model { now: self.now().await, ..Model::default() }
    }

    pub(super) async fn now(&self) -> i64 {
        let sql = format!("select {}", micros("fairclaim.clock()"));
        self.owner.query_one(&sql, &[]).await.expect("the time").get(0)
    }
}

/// Makes a mistake. The text that it replaces must be there, or the test of the model would test nothing.
async fn mutate(owner: &Session, mutant: &Mutant) {
    let sql = "select pg_get_functiondef(p.oid) from pg_proc p
                where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proname = $1";
    let text: String =
        owner.query_one(sql, &[&mutant.function]).await.expect("the function").get(0);
    assert!(text.contains(mutant.text), "{} has no {:?}", mutant.function, mutant.text);
    let text = text.replace(mutant.text, mutant.instead);
    owner.batch_execute(&text).await.expect("the mutant");
}
