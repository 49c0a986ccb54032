//! Puts jobs off that are given back again and again, unfinished and uncharged: because no
//! heartbeat got through, or the handler said so. None of that counts as an attempt, so without a
//! bound a job could be started for ever. The second time it is put off, and longer every time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use uuid::Uuid;

use crate::worker::backoff::jittered;

/// The pause of a job that is given back for the second time; it doubles from there.
const PUT_OFF_FIRST: Duration = Duration::from_secs(2);
const PUT_OFF_MAX: Duration = Duration::from_secs(900);
/// How many jobs are remembered.
const JOBS_MAX: usize = 10_000;

/// How often each job was given back.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    times: Mutex<HashMap<Uuid, u32>>,
}

impl PutOff {
    /// Notes that a job is given back once more. Answers for how long it is put off; none for at
    /// once.
    pub(crate) fn again(&self, id: Uuid) -> Option<Duration> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= JOBS_MAX && !times.contains_key(&id) {
            // a worker that gives back that many has more to remember than it can
            times.clear();
        }
        let times = times.entry(id).or_default();
        *times = times.saturating_add(1);
        let doublings = times.checked_sub(2)?;
        Some(jittered(PUT_OFF_FIRST.saturating_mul(1 << doublings.min(20)).min(PUT_OFF_MAX)))
    }

    /// Forgets a job of which an attempt came to an end of its own.
    pub(crate) fn forget(&self, id: Uuid) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_given_back_again_and_again_is_put_off_for_longer_every_time() {
        let (put_off, id) = (PutOff::default(), Uuid::nil());
        assert_eq!(put_off.again(id), None, "the first time it goes back at once");
        let pauses: Vec<_> = (0..3).map(|_| put_off.again(id).expect("put off")).collect();
        assert!(pauses.is_sorted() && pauses[0] >= Duration::from_millis(1800), "{pauses:?}");
        for _ in 0..100 {
            assert!(put_off.again(id).expect("put off") <= jittered(PUT_OFF_MAX) * 2);
        }
        put_off.forget(id);
        assert_eq!(put_off.again(id), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let put_off = PutOff::default();
        for _ in 0..3 * JOBS_MAX {
            put_off.again(Uuid::new_v4());
        }
        assert!(put_off.times.lock().unwrap().len() <= JOBS_MAX);
    }
}
