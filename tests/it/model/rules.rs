//! What each call does, and what it answers.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    state::{Fact, Known, Lease, Model, Past, Place, QUEUES, SECOND, TYPES},
    steps::NewJob,
};

/// One settlement, with all that is sent for it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) lease: Lease,
    pub(super) outcome: &'static str,
    pub(super) result: Option<Value>,
    pub(super) error: Option<Value>,
    pub(super) delay: Option<u32>,
}

/// What a settlement is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: Uuid,
    pub(super) attempts: i32,
    pub(super) kind: String,
    pub(super) status: Option<String>,
}

/// The most that a pause by the rule may be above what the rule says, and below it.
const SPREAD: i64 = 5;

impl Model {
    pub(super) fn dispatch(
        &mut self,
        id: Uuid,
        new: &NewJob,
        payload: Value,
    ) -> Result<(), String> {
        let place = match new.delay {
            Some(delay) if delay > 0 => self.scheduled(i64::from(delay) * SECOND),
            _ => Place::Waiting,
        };
        let job = Known {
            tenant: Self::tenant(new.tenant),
            queue: QUEUES[new.queue],
            job_type: TYPES[new.job_type],
            priority: new.priority,
            max_attempts: new.max_attempts,
            payload,
            created: self.now,
            attempts: 0,
            left: new.max_attempts,
            lost: 0,
            place,
            history: std::collections::BTreeMap::new(),
        };
        self.dispatched += 1;
        match self.jobs.insert(id, job) {
            None => Ok(()),
            Some(_) => Err(format!("the id {id} was given twice")),
        }
    }

    fn scheduled(&self, pause: i64) -> Place {
        Place::Scheduled { from: self.now + pause, to: self.now + pause }
    }

    /// Settles the attempts of one call. A stale settlement changes nothing; one that is sent again is told from it by the final fact.
    pub(super) fn settle_all(&mut self, worker: &str, all: &[Given]) -> Vec<Answer> {
        let settled: Vec<bool> = all.iter().map(|given| self.settle(worker, given)).collect();
        // what is stale is looked up when all the others of the call are settled
        let kinds = all.iter().zip(settled).map(|(given, settled)| {
            let kind = match settled {
                true => "settled",
                false if self.ended_by(worker, given) => "already",
                false => "stale",
            };
            let lease = given.lease;
            let status = (kind != "stale").then(|| self.jobs[&lease.id].status().to_owned());
            Answer { id: lease.id, attempts: lease.attempt, kind: kind.to_owned(), status }
        });
        kinds.collect()
    }

    /// Ends an attempt if its lease is held, and says whether it was.
    fn settle(&mut self, worker: &str, given: &Given) -> bool {
        let is_held = self.holds(given.lease);
        if is_held {
            self.end(worker, given);
        }
        is_held
    }

    /// Whether a settlement like this one ended the job.
    fn ended_by(&self, worker: &str, given: &Given) -> bool {
        let Some(job) = self.jobs.get(&given.lease.id) else { return false };
        let Place::Finished(fact) = &job.place else { return false };
        let asked = match given.outcome {
            "complete" => "completed",
            "fail" => "failed",
            "cancel" => "cancelled",
            _ => return false,
        };
        let lost = fact.error.as_ref().is_some_and(|error| error["code"] == "lost");
        job.attempts == given.lease.attempt
            && fact.status == asked
            && fact.worker.as_deref() == Some(worker)
            && !lost
    }

    /// Ends an attempt whose lease is held; `lost` is an outcome too.
    fn end(&mut self, worker: &str, given: &Given) {
        let now = self.now;
        let job = self.jobs.get_mut(&given.lease.id).expect("a job that is held");
        let Place::Running { cancel_requested, .. } = job.place else { unreachable!("it is held") };
        let failed = matches!(given.outcome, "retry" | "fail");
        job.left -= i32::from(failed);
        job.lost += i32::from(given.outcome == "lost");
        if failed || given.outcome == "lost" {
            let past =
                Past { at: now, worker: Some(worker.to_owned()), error: given.error.clone() };
            job.history.insert(job.attempts, past);
        }
        let fact = |status| {
            Place::Finished(Fact {
                status,
                at: now,
                worker: Some(worker.to_owned()),
                result: given.result.clone(),
                error: given.error.clone(),
            })
        };
        let after = |from, to| match to {
            0 => Place::Waiting,
            _ => Place::Scheduled { from: now + from, to: now + to },
        };
        let given_pause = given.delay.map(|delay| i64::from(delay) * SECOND);
        job.place = match given.outcome {
            "complete" => fact("completed"),
            "fail" => fact("failed"),
            _ if given.outcome == "cancel" || cancel_requested => fact("cancelled"),
            "retry" if job.left <= 0 => fact("failed"),
            "lost" if job.lost >= 3 => fact("failed"),
            "release" | "lost" => Place::Waiting,
            "retry" if given_pause.is_none() => {
                let pause = pause_by_rule(job.max_attempts - job.left);
                after(pause - pause / SPREAD, pause + pause / SPREAD)
            }
            _ => after(given_pause.unwrap_or(0), given_pause.unwrap_or(0)),
        };
    }

    /// The heartbeat: whether the lease is held, and whether somebody asked to cancel.
    pub(super) fn extend(&mut self, lease: Lease, seconds: u32) -> (Uuid, bool, bool) {
        if !self.holds(lease) {
            return (lease.id, false, false);
        }
        let until = self.now + i64::from(seconds) * SECOND;
        let job = self.jobs.get_mut(&lease.id).expect("a job that is held");
        let Place::Running { expires, cancel_requested, .. } = &mut job.place else {
            unreachable!("it is held")
        };
        *expires = until;
        (lease.id, true, *cancel_requested)
    }

    /// Gives back what this worker claimed with these tokens and still holds.
    pub(super) fn release(&mut self, worker: &str, tokens: &[Uuid]) -> usize {
        let held = self.held().into_iter().filter(|lease| tokens.contains(&lease.token));
        let leases: Vec<Lease> = held.filter(|lease| self.is_of(*lease, worker)).collect();
        for &lease in &leases {
            let given = Given { lease, outcome: "release", result: None, error: None, delay: None };
            self.end(worker, &given);
        }
        leases.len()
    }

    fn is_of(&self, lease: Lease, name: &str) -> bool {
        matches!(&self.jobs[&lease.id].place, Place::Running { worker, .. } if worker == name)
    }

    /// Whether somebody who asks for this tenant sees the job; an operator sees all.
    fn is_seen(&self, tenant: Option<Uuid>, id: Uuid) -> bool {
        self.jobs.get(&id).is_some_and(|job| tenant.is_none_or(|tenant| job.tenant == tenant))
    }

    /// The status of each, none for those that are not there.
    pub(super) fn statuses(&self, tenant: Option<Uuid>, ids: &[Uuid]) -> Vec<Option<String>> {
        ids.iter()
            .map(|id| self.is_seen(tenant, *id).then(|| self.jobs[id].status().to_owned()))
            .collect()
    }

    pub(super) fn cancel(&mut self, tenant: Option<Uuid>, ids: &[Uuid]) {
        let now = self.now;
        for id in ids {
            if !self.is_seen(tenant, *id) {
                continue;
            }
            let job = self.jobs.get_mut(id).expect("it is seen");
            match &mut job.place {
                Place::Running { cancel_requested, .. } => *cancel_requested = true,
                Place::Finished(_) => {}
                Place::Waiting | Place::Scheduled { .. } => {
                    job.place = Place::Finished(Fact {
                        status: "cancelled",
                        at: now,
                        worker: None,
                        result: None,
                        error: None,
                    });
                }
            }
        }
    }

    /// What has ended waits again, and what is scheduled is due.
    pub(super) fn retry(&mut self, tenant: Option<Uuid>, ids: &[Uuid]) {
        for id in ids {
            if !self.is_seen(tenant, *id) {
                continue;
            }
            let job = self.jobs.get_mut(id).expect("it is seen");
            match &job.place {
                Place::Scheduled { .. } => job.place = Place::Waiting,
                Place::Waiting | Place::Running { .. } => {}
                Place::Finished(fact) => {
                    let past = Past {
                        at: fact.at,
                        worker: fact.worker.clone(),
                        error: fact.error.clone(),
                    };
                    let ended_as = json!(fact.status);
                    let past = job.history.entry(job.attempts).or_insert(past);
                    let error = past.error.get_or_insert_with(|| json!({}));
                    if let (Some(old), Some(new)) = (error.as_object_mut(), fact.error.as_ref()) {
                        old.extend(new.as_object().cloned().unwrap_or_default());
                    }
                    error["ended_as"] = ended_as;
                    job.left = job.max_attempts;
                    job.lost = 0;
                    job.place = Place::Waiting;
                }
            }
        }
    }

    /// What waits or has ended is gone; what runs stays.
    pub(super) fn delete(&mut self, ids: &[Uuid]) {
        self.jobs.retain(|id, job| !ids.contains(id) || matches!(job.place, Place::Running { .. }));
    }

    /// How many jobs became due, and how many leases had expired. It looks for those every 5 seconds, if anything runs.
    pub(super) fn tick(&mut self) -> (i32, i32) {
        let mut promoted = 0;
        for job in self.jobs.values_mut() {
            if matches!(job.place, Place::Scheduled { from, .. } if from <= self.now) {
                job.place = Place::Waiting;
                promoted += 1;
            }
        }
        let mut returned = 0;
        let runs = self.jobs.values().any(|job| matches!(job.place, Place::Running { .. }));
        if runs && self.reaped_at.is_none_or(|at| at < self.now - 5 * SECOND) {
            self.reaped_at = Some(self.now);
            returned = self.lose_expired();
        }
        self.limits.tick();
        (promoted, returned)
    }

    fn lose_expired(&mut self) -> i32 {
        let expired: Vec<(Lease, String)> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| match &job.place {
                Place::Running { token, worker, expires, .. } if *expires < self.now => {
                    let lease = Lease { id: *id, attempt: job.attempts, token: *token };
                    Some((lease, worker.clone()))
                }
                _ => None,
            })
            .collect();
        for (lease, worker) in &expired {
            let error = json!({"code": "lost", "message": "the lease expired before the attempt was settled"});
            let given = Given {
                lease: *lease,
                outcome: "lost",
                result: None,
                error: Some(error),
                delay: None,
            };
            self.end(worker, &given);
        }
        i32::try_from(expired.len()).expect("a few")
    }
}

/// 15 s, doubled with every failure, at most an hour.
fn pause_by_rule(failures: i32) -> i64 {
    let doubled = 15 * 2_i64.pow(u32::try_from((failures - 1).clamp(0, 10)).expect("small"));
    doubled.min(3600) * SECOND
}
