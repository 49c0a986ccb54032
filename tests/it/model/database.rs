//! The real queue: a database with a clock that stands still, and a session for each who takes part.

use crate::support::Client;

use super::state::{Model, WORKERS};
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
    as $$ select timestamptz 'BASE' + t.shift from fairclaim.test_clock t $$";

/// A job's way ends in one of few hours, so that steps reach it.
const SETTINGS: &str = "update fairclaim.setting set retention = '8 hours', close_delay = '5 s'";

/// Nothing of an earlier case is left but the time, and the numbers of the sequences.
const RESET: &str = "
    truncate fairclaim.job, fairclaim.finished, fairclaim.attempt_error, fairclaim.ready, fairclaim.running,
             fairclaim.scheduled, fairclaim.cancel_request, fairclaim.lane, fairclaim.floor_hint, fairclaim.renewal,
             fairclaim.tenant_limit, fairclaim.tenant, fairclaim.queue, fairclaim.tick_state;
    insert into fairclaim.tick_state default values";

/// A time as microseconds.
pub(super) fn micros(time: &str) -> String {
    format!("(extract(epoch from {time}) * 1000000)::bigint")
}

#[derive(Debug)]
pub(super) struct Database {
    pub(super) producer: Client,
    pub(super) workers: [Client; WORKERS.len()],
    pub(super) operator: Client,
    pub(super) auditor: Client,
    pub(super) owner: Client,
    db: TestDb,
}

impl Database {
    pub(super) async fn set_up(mutants: &[Mutant]) -> Self {
        let db = TestDb::with_test_clock().await;
        let owner = db.owner().await;
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
            producer: db.producer().await,
            workers: [db.worker().await, db.worker().await],
            operator: db.operator().await,
            auditor: db.auditor().await,
            owner,
            db,
        }
    }

    /// Empties everything, and gives a program that knows of nothing but the time.
    pub(super) async fn reset(&self) -> Model {
        self.owner.batch_execute(RESET).await.expect("reset");
        loop {
            let sql = "select ranges_dropped from fairclaim.prune('1 hour')";
            let row = self.operator.query_one(sql, &[]).await.expect("prune");
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
async fn mutate(owner: &Client, mutant: &Mutant) {
    let sql = "select pg_get_functiondef(p.oid) from pg_proc p
                where p.pronamespace = 'fairclaim'::regnamespace and p.proname = $1";
    let text: String =
        owner.query_one(sql, &[&mutant.function]).await.expect("the function").get(0);
    assert!(text.contains(mutant.text), "{} has no {:?}", mutant.function, mutant.text);
    let text = text.replace(mutant.text, mutant.instead);
    owner.batch_execute(&text).await.expect("the mutant");
}
