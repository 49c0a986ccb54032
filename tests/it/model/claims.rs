//! Whether what a claim gave is what it may give.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    calls::{Claimed, names},
    limits::Room,
    state::{Known, Lease, Model, Place, QUEUES, SECOND, TYPES},
    steps::Claim,
};

impl Model {
    /// Checks a claim's rows, and starts their attempts.
    pub(super) fn claim(
        &mut self,
        worker: &str,
        claim: &Claim,
        rows: &[Claimed],
    ) -> Result<(), String> {
        let most = if claim.alone { 1 } else { claim.limit.unwrap_or(1) };
        let limit = usize::try_from(most).expect("a limit");
        if rows.len() > limit {
            return Err(format!("{} rows of a claim of {limit}", rows.len()));
        }
        if rows.is_empty() {
            return self.nothing_is_claimable(claim);
        }
        let known: BTreeSet<Uuid> = self.leases.iter().map(|lease| lease.token).collect();
        let token = rows[0].token;
        if known.contains(&token) || rows.iter().any(|row| row.token != token) {
            return Err("the lease token is not one fresh token of the call".to_owned());
        }
        for row in rows {
            self.start(worker, claim, row)?;
        }
        rows.iter().try_for_each(|row| self.nothing_more_urgent_waits(claim, row))
    }

    /// Whether this claim asks for the job, and its tenant has room.
    fn may_be_claimed(&self, claim: &Claim, job: &Known) -> Result<(), &'static str> {
        let asked = |all: &[&'static str], bits, name| {
            names(all, bits).is_none_or(|names| names.contains(&name))
        };
        if job.place != Place::Waiting {
            Err("it does not wait")
        } else if (job.lost >= 2) != claim.alone {
            Err("jobs whose workers died twice go to claims that ask for them, and no others do")
        } else if !asked(&QUEUES, claim.queues, job.queue) {
            Err("its queue was not asked for")
        } else if !asked(&TYPES, claim.types, job.job_type) {
            Err("its type was not asked for")
        } else if self.paused.contains(job.queue) {
            Err("its queue is paused")
        } else {
            match self.room_for(job) {
                Room::None(why) => Err(why),
                Room::Enough | Room::Unknown => Ok(()),
            }
        }
    }

    /// Whether nothing keeps the claim from this job, by all that is known.
    fn is_claimable(&self, claim: &Claim, job: &Known) -> bool {
        self.may_be_claimed(claim, job).is_ok() && self.room_for(job) == Room::Enough
    }

    fn nothing_is_claimable(&self, claim: &Claim) -> Result<(), String> {
        match self.jobs.iter().find(|(_, job)| self.is_claimable(claim, job)) {
            None => Ok(()),
            Some((id, job)) => {
                Err(format!("a claim found nothing, but {id} may be claimed: {job:?}"))
            }
        }
    }

    fn start(&mut self, worker: &str, claim: &Claim, row: &Claimed) -> Result<(), String> {
        let job = self.jobs.get(&row.id).ok_or_else(|| format!("no such job: {row:?}"))?;
        self.may_be_claimed(claim, job)
            .map_err(|why| format!("{why}: {job:?} was claimed as {row:?}"))?;
        let expected = Claimed {
            id: row.id,
            tenant: job.tenant,
            job_type: job.job_type.to_owned(),
            status: "processing".to_owned(),
            payload: job.payload.clone(),
            worker: worker.to_owned(),
            attempts: job.attempts + 1,
            created: job.created,
            queue: job.queue.to_owned(),
            priority: job.priority,
            max_attempts: job.max_attempts,
            left: job.left,
            lost: job.lost,
            token: row.token,
            expires: self.now + i64::from(claim.lease) * SECOND,
        };
        if *row != expected {
            return Err(format!("claimed {row:?}\n  expected {expected:?}"));
        }
        let job = self.jobs.get_mut(&row.id).expect("it is there");
        job.attempts += 1;
        job.place = Place::Running {
            token: row.token,
            worker: worker.to_owned(),
            expires: expected.expires,
            cancel_requested: false,
        };
        self.leases.push(Lease { id: row.id, attempt: row.attempts, token: row.token });
        Ok(())
    }

    /// A waiting job of a priority above 0 goes before its tenant's jobs of a lower one, in the queue and of the types asked for.
    fn nothing_more_urgent_waits(&self, claim: &Claim, row: &Claimed) -> Result<(), String> {
        let more_urgent = |job: &&Known| {
            job.tenant == row.tenant
                && job.queue == row.queue
                && job.priority > row.priority.max(0)
                && self.is_claimable(claim, job)
        };
        match self.jobs.values().find(more_urgent) {
            _ if claim.alone => Ok(()), // the oldest first
            None => Ok(()),
            Some(job) => Err(format!("{row:?} was claimed before the more urgent {job:?}")),
        }
    }
}
