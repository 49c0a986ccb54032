//! One step after the other, with the program and with the database.

use serde_json::{Value, json};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{
    Done, audit, calls,
    database::{Database, Mutant},
    limits::{self, Key},
    prune,
    rules::Given,
    session::Session,
    state::{Lease, Model, QUEUES, TENANTS, WORKERS},
    steps::{Asks, Claim, NewJob, Step},
};
use crate::calls::set_limit;

/// Both sides.
#[derive(Debug)]
pub(super) struct Game {
    pub(super) database: Database,
    pub(super) model: Model,
    /// Where each worker's last claim ended.
    pub(super) cursors: [Option<String>; WORKERS.len()],
    pub(super) done: Done,
}

fn failed(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error:?}")
}

/// Says what differs.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} answered {found:?}\n  expected {expected:?}"))
}

impl Game {
    pub(super) async fn set_up(mutants: &[Mutant]) -> Self {
        let database = Database::set_up(mutants).await;
        Self { database, model: Model::default(), cursors: [None, None], done: Done::default() }
    }

    /// From the start.
    pub(super) async fn begin(&mut self) {
        self.model = self.database.reset().await;
        self.cursors = [None, None];
    }

    /// Takes a step, and looks at everything.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), String> {
        let (jobs, leases) = (self.model.dispatched, self.model.leases.len());
        match step {
            Step::Dispatch(job) => self.dispatch(job).await?,
            Step::DispatchMany(jobs) => self.dispatch_many(jobs).await?,
            Step::Claim(claim) => self.claim(claim).await?,
            Step::Settle(worker, all) => {
                let all = self.model.given(all);
                self.settle(*worker, &all).await?;
            }
            Step::SettleAndClaim(all, claim) => {
                let all = self.model.given(all);
                self.settle_and_claim(&all, claim).await?;
            }
            Step::Extend(worker, picks, seconds) => {
                let leases: Vec<Lease> =
                    picks.iter().filter_map(|pick| self.model.picked(pick)).collect();
                self.extend(*worker, &leases, *seconds).await?;
            }
            Step::Release(worker, picks) => {
                let leases = picks.iter().filter_map(|pick| self.model.picked(pick));
                let tokens: Vec<Uuid> = leases.map(|lease| lease.token).collect();
                self.release(*worker, &tokens).await?;
            }
            Step::Cancel(asks, picks) => self.change("cancel_jobs", *asks, picks).await?,
            Step::Retry(asks, picks) => self.change("retry_jobs", *asks, picks).await?,
            Step::Delete(picks) => self.change("delete_jobs", Asks::Operator, picks).await?,
            Step::Advance(seconds) => self.advance(*seconds).await?,
            Step::Tick => self.tick().await?,
            Step::Prune(hours) => prune::prune(&self.database, &mut self.model, *hours).await?,
            Step::Limit(key, max) => self.limit(*key, *max).await,
            Step::Pause(queue, on) => self.pause(QUEUES[*queue], *on).await?,
            Step::Weight(tenant, weight) => self.weigh(Model::tenant(*tenant), *weight).await?,
        }
        self.done.steps += 1;
        self.done.kinds[step.kind()] += 1;
        self.done.jobs += self.model.dispatched - jobs;
        self.done.claimed += self.model.leases.len() - leases;
        audit::audit(&self.database, &mut self.model).await
    }

    /// What is in the job with this number.
    fn payload(&self, number: usize) -> Value {
        json!({"number": self.model.dispatched + number})
    }

    async fn dispatch(&mut self, job: &NewJob) -> Result<(), String> {
        let payload = self.payload(0);
        let id = calls::dispatch(&self.database.producer, job, &payload).await;
        self.model.dispatch(id.map_err(failed("dispatch_job"))?, job, payload)
    }

    async fn dispatch_many(&mut self, jobs: &[NewJob]) -> Result<(), String> {
        let jobs: Vec<(NewJob, Value)> =
            jobs.iter().enumerate().map(|(n, job)| (job.clone(), self.payload(n))).collect();
        let ids = calls::dispatch_many(&self.database.producer, &jobs).await;
        let ids = ids.map_err(failed("dispatch_jobs"))?;
        same("dispatch_jobs", &ids.len(), &jobs.len())?;
        for (id, (job, payload)) in ids.into_iter().zip(jobs) {
            self.model.dispatch(id, &job, payload)?;
        }
        Ok(())
    }

    pub(super) async fn claim(&mut self, claim: &Claim) -> Result<(), String> {
        let (worker, name) = (&self.database.workers[claim.worker], WORKERS[claim.worker]);
        let rows = calls::claim(worker, name, claim, &mut self.cursors[claim.worker]).await;
        self.model.claim(name, claim, &rows.map_err(failed("a claim"))?)
    }

    pub(super) async fn settle(&mut self, worker: usize, all: &[Given]) -> Result<(), String> {
        if all.is_empty() {
            return Ok(());
        }
        let (client, name) = (&self.database.workers[worker], WORKERS[worker]);
        let answers = calls::settle(client, name, all).await.map_err(failed("settle_jobs"))?;
        let expected: Vec<_> = self.model.settle_all(name, all);
        same("settle_jobs", &answers, &expected)
    }

    async fn settle_and_claim(&mut self, all: &[Given], claim: &Claim) -> Result<(), String> {
        let (worker, name) = (&self.database.workers[claim.worker], WORKERS[claim.worker]);
        let cursor = &mut self.cursors[claim.worker];
        let answers = calls::settle_and_claim(worker, name, all, claim, cursor).await;
        let (answers, rows) = answers.map_err(failed("settle_and_claim"))?;
        let expected: Vec<_> = self.model.settle_all(name, all);
        same("settle_and_claim", &answers, &expected)?;
        match claim.limit {
            Some(_) => self.model.claim(name, claim, &rows),
            None => same("a claim of 0", &rows.len(), &0),
        }
    }

    async fn extend(
        &mut self,
        worker: usize,
        leases: &[Lease],
        seconds: u32,
    ) -> Result<(), String> {
        if leases.is_empty() {
            return Ok(());
        }
        let (client, name) = (&self.database.workers[worker], WORKERS[worker]);
        let answers = calls::extend(client, name, leases, seconds).await;
        let expected: Vec<_> =
            leases.iter().map(|lease| self.model.extend(*lease, seconds)).collect();
        same("extend_leases", &answers.map_err(failed("extend_leases"))?, &expected)
    }

    async fn release(&mut self, worker: usize, tokens: &[Uuid]) -> Result<(), String> {
        if tokens.is_empty() {
            return Ok(());
        }
        let (client, name) = (&self.database.workers[worker], WORKERS[worker]);
        let answer =
            calls::release(client, name, tokens).await.map_err(failed("release_claims"))?;
        same("release_claims", &answer, &self.model.release(name, tokens))
    }

    /// `cancel_jobs`, `retry_jobs` or `delete_jobs`.
    async fn change(
        &mut self,
        function: &'static str,
        asks: Asks,
        picks: &[proptest::sample::Index],
    ) -> Result<(), String> {
        let all: Vec<Uuid> = self.model.jobs.keys().copied().collect();
        if all.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = picks.iter().map(|pick| all[pick.index(all.len())]).collect();
        let owner = self.model.jobs[&ids[0]].tenant;
        let (client, tenant): (&Session, _) = match asks {
            Asks::Owner => (&self.database.producer, Some(owner)),
            Asks::Stranger => (&self.database.producer, Some(Model::tenant(TENANTS))),
            Asks::Operator => (&self.database.operator, None),
        };
        let answers =
            calls::change(client, function, tenant, &ids).await.map_err(failed(function))?;
        let before = self.model.statuses(tenant, &ids);
        let statuses = match function {
            "cancel_jobs" => {
                self.model.cancel(tenant, &ids);
                self.model.statuses(tenant, &ids)
            }
            "retry_jobs" => {
                self.model.retry(tenant, &ids);
                self.model.statuses(tenant, &ids)
            }
            _ => {
                self.model.delete(&ids);
                before
            }
        };
        same(function, &answers, &ids.into_iter().zip(statuses).collect())
    }

    pub(super) async fn advance(&mut self, seconds: u32) -> Result<(), String> {
        let sql =
            "update fairclaim_internal.test_clock set shift = shift + make_interval(secs => $1)";
        self.database
            .owner
            .execute(sql, &[&f64::from(seconds)])
            .await
            .map_err(failed("the clock"))?;
        self.model.now += i64::from(seconds) * super::state::SECOND;
        same("the clock", &self.database.now().await, &self.model.now)
    }

    pub(super) async fn tick(&mut self) -> Result<(), String> {
        let sql = "select promoted, returned, busy, next_tick_in > 0 and next_tick_in <= 30
                     from fairclaim.tick()";
        let row = self.database.workers[1].query_one(sql, &[]).await.map_err(failed("tick"))?;
        let (promoted, returned) = self.model.tick();
        let found: (i32, i32, bool, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
        same("tick", &found, &(promoted, returned, false, true))
    }

    pub(super) async fn limit(&mut self, key: Key, max: Option<i32>) {
        set_limit(self.database.owner.plain(), limits::bound(key), max).await;
        self.model.limits.set(key, max);
    }

    /// Pauses and weights are rows.
    pub(super) async fn pause(&mut self, queue: &'static str, on: bool) -> Result<(), String> {
        let sql = "insert into fairclaim_internal.queue values ($1, case when $2 then fairclaim.clock() end)
                   on conflict (name) do update set paused_at = excluded.paused_at";
        self.database.owner.execute(sql, &[&queue, &on]).await.map_err(failed("a pause"))?;
        if on {
            self.model.paused.insert(queue);
        } else {
            self.model.paused.remove(queue);
        }
        Ok(())
    }

    async fn weigh(&mut self, tenant: Uuid, weight: i16) -> Result<(), String> {
        let sql = "select fairclaim.set_weight($1, $2)";
        let done = self.database.operator.execute(sql, &[&tenant, &i32::from(weight)]).await;
        done.map(drop).map_err(failed("a weight"))
    }
}
