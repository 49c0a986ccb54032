//! A database that is empty before every order, and the audit at its end.

use std::{collections::BTreeSet, sync::Arc};

use crate::support::Client;
use uuid::Uuid;

use super::play::{Outcome, Part, orders, play};
use crate::{
    calls::{Claimed, claim_jobs, settle_all, tick},
    support::TestDb,
};

/// Rows are deleted: to truncate would make every session plan all its statements again.
const RESET: &str = "
    delete from fairclaim_internal.job; delete from fairclaim_internal.finished; delete from fairclaim_internal.attempt_error; delete from fairclaim_internal.ready;
    delete from fairclaim_internal.running; delete from fairclaim_internal.scheduled; delete from fairclaim_internal.cancel_request;
    delete from fairclaim_internal.lane; delete from fairclaim_internal.floor_hint; delete from fairclaim_internal.renewal;
    delete from fairclaim_internal.running_limit; delete from fairclaim_internal.limit_note; delete from fairclaim_internal.at_limit;
    delete from fairclaim_internal.tick_state;
    insert into fairclaim_internal.tick_state default values;
    update fairclaim_internal.setting set close_delay = '0'";

/// Jobs that are in no place, or in two.
const MISPLACED: &str = "
    select coalesce(j.id, n.id)::text
      from fairclaim_internal.job j
      full join (select id, tenant_id from fairclaim_internal.ready
                 union all select id, tenant_id from fairclaim_internal.running
                 union all select id, tenant_id from fairclaim_internal.scheduled
                 union all select id, tenant_id from fairclaim_internal.finished) n
        on n.id = j.id and n.tenant_id = j.tenant_id
     group by 1 having count(*) <> 1 or bool_or(j.id is null or n.id is null)";

/// Ticks after which rows below a floor have been given back, new limits are in force, and empty lanes are gone.
const TICKS: usize = 6;

/// The priority whose jobs have lanes of their own here.
pub(super) const OWN: i32 = 7;

/// Everybody who may take part.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) db: TestDb,
    pub(super) producers: [Arc<Client>; 2],
    pub(super) workers: [Arc<Client>; 2],
    pub(super) operator: Arc<Client>,
    /// For rows that are settings, and for looking.
    pub(super) admin: Arc<Client>,
    /// Sees who waits.
    watcher: Client,
    /// For what is done before and after.
    pub(super) worker: Client,
    pub(super) owner: Client,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let db = TestDb::with_test_clock().await;
        db.own_lanes(OWN).await;
        let watcher = db.owner().await;
        watcher.batch_execute("reset role").await.expect("reset role");
        Self {
            producers: [Arc::new(db.producer().await), Arc::new(db.producer().await)],
            workers: [Arc::new(db.worker().await), Arc::new(db.worker().await)],
            operator: Arc::new(db.operator().await),
            admin: Arc::new(db.owner().await),
            worker: db.worker().await,
            owner: db.owner().await,
            watcher,
            db,
        }
    }

    /// Nothing is there.
    pub(super) async fn clear(&self) {
        self.owner.batch_execute(RESET).await.expect("reset");
    }

    pub(super) async fn play(&self, parts: &[Part], order: &[usize]) -> Outcome {
        play(&self.watcher, parts, order).await
    }

    /// A number out of the tables.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.expect(sql).get(0)
    }

    pub(super) async fn ticks(&self, count: usize) {
        for _ in 0..count {
            tick(&self.worker).await;
        }
    }

    /// Every job has one place.
    pub(super) async fn one_place_each(&self) {
        let rows = self.owner.query(MISPLACED, &[]).await.expect("places");
        let ids: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        assert!(ids.is_empty(), "in no place or in two: {ids:?}");
    }

    /// Makes a mistake in a function.
    pub(super) async fn replace(&self, function: &str, text: &str, instead: &str) {
        let sql = "select pg_get_functiondef(p.oid) from pg_proc p
                    where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proname = $1";
        let row = self.owner.query_one(sql, &[&function]).await.expect("the function");
        let definition: String = row.get(0);
        assert!(definition.contains(text), "{function} has no {text:?}");
        self.owner.batch_execute(&definition.replace(text, instead)).await.expect("replace");
    }

    /// When everybody has ended: every job has one place, what waits is claimed once and no more, and everything ends.
    /// Gives what was claimed.
    pub(super) async fn audit(&self) -> Vec<Claimed> {
        self.one_place_each().await;
        self.owner
            .batch_execute("delete from fairclaim_internal.running_limit")
            .await
            .expect("no limit holds jobs back");
        self.ticks(TICKS).await;
        self.one_place_each().await;
        let rows =
            self.owner.query("select id from fairclaim_internal.ready", &[]).await.expect("ready");
        let waiting: BTreeSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let jobs = claim_jobs(&self.worker, 1_000, &mut cursor).await;
            if jobs.is_empty() {
                break;
            }
            settle_all(&self.worker, &jobs, "complete").await;
            all.extend(jobs);
        }
        let claimed: BTreeSet<Uuid> = all.iter().map(|job| job.id).collect();
        assert_eq!(claimed.len(), all.len(), "claimed twice");
        assert_eq!(claimed, waiting, "not all that waits can be claimed");
        self.one_place_each().await;
        assert_eq!(self.number("select count(*) from fairclaim_internal.ready").await, 0);
        all
    }
}

/// A part of a session.
pub(super) fn part(client: &Arc<Client>, statements: &[&str]) -> Part {
    Part {
        client: client.clone(),
        statements: statements.iter().map(|text| (*text).to_owned()).collect(),
    }
}

/// All orders of these parts.
pub(super) fn all_orders(parts: &[Part]) -> Vec<Vec<usize>> {
    orders(&parts.iter().map(|part| part.statements.len()).collect::<Vec<_>>())
}

/// A dispatch of one job, as a statement.
pub(super) fn dispatch_of(tenant: Uuid, job_type: &str, priority: i32) -> String {
    format!("select fairclaim.dispatch_job('{tenant}', '{job_type}', p_priority => {priority})")
}
