//! How an attempt ended, as the database hears it.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    protocol::{
        json,
        outcome::{JobError, Next, Outcome},
    },
    worker::held::hold::Hold,
};

/// What `settle_jobs` accepts as a delay.
const DELAY_MAX: Duration = Duration::from_secs(157_766_400);
/// A job that is due again at once would run as fast as the machine can, for ever.
const SNOOZE_MIN: Duration = Duration::from_millis(100);

/// The end of one attempt.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Complete(Option<Box<RawValue>>),
    Retry { error: Box<RawValue>, delay: Option<f64> },
    Fail { error: Box<RawValue> },
    Snooze { delay: f64 },
    Release,
    Cancel { error: Box<RawValue> },
}

impl Ending {
    pub(crate) fn of(error: &JobError) -> Self {
        let raw = raw_error(error);
        match error.next() {
            Next::Retry(delay) => Self::Retry { error: raw, delay: delay.map(seconds) },
            Next::Fail => Self::Fail { error: raw },
            Next::Release => Self::Release,
        }
    }

    /// The ending that a handler asks for; none when its own transaction has settled the job.
    pub(crate) fn of_outcome(outcome: Outcome, hold: &Hold) -> Option<Self> {
        Some(match outcome {
            Outcome::Complete => Self::Complete(None),
            Outcome::CompleteWith(result) => Self::with_result(&result),
            Outcome::CompleteWithRaw(result) => Self::with_result(&result),
            Outcome::Snooze(delay) => Self::snooze(delay),
            Outcome::Release => Self::Release,
            Outcome::Cancel(reason) => {
                Self::Cancel { error: raw_error(&JobError::fail(reason).code("cancelled")) }
            }
            Outcome::Settled(proof) if (proof.id(), proof.attempt()) == hold.key() => return None,
            Outcome::Settled(_) => Self::of(
                &JobError::fail("the handler returned the proof of another job's settlement")
                    .code("wrong_settlement"),
            ),
        })
    }

    pub(crate) fn snooze(delay: Duration) -> Self {
        Self::Snooze { delay: seconds(delay.max(SNOOZE_MIN)) }
    }

    /// Completes with a result. One of which no JSON can be made fails the job; whether the others
    /// can be stored, the database decides.
    fn with_result<T: Serialize + ?Sized>(result: &T) -> Self {
        json::to_raw("result", result).map_or_else(
            |error| Self::of(&JobError::bad_result(&error)),
            |raw| Self::Complete(Some(raw)),
        )
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Retry { .. } => "retry",
            Self::Fail { .. } => "fail",
            Self::Snooze { .. } => "snooze",
            Self::Release => "release",
            Self::Cancel { .. } => "cancel",
        }
    }

    fn result(&self) -> Option<&RawValue> {
        if let Self::Complete(result) = self { result.as_deref() } else { None }
    }

    fn error(&self) -> Option<&RawValue> {
        match self {
            Self::Retry { error, .. } | Self::Fail { error } | Self::Cancel { error } => {
                Some(error)
            }
            Self::Complete(_) | Self::Snooze { .. } | Self::Release => None,
        }
    }

    /// Whether the database can tell its repetition from a settlement that was too late: the job
    /// has ended by it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Complete(_) | Self::Fail { .. } | Self::Cancel { .. })
    }

    /// How many bytes it adds to a message.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [self.result(), self.error()];
        texts.into_iter().flatten().map(|text| text.get().len()).sum()
    }

    fn delay(&self) -> Option<f64> {
        match self {
            Self::Retry { delay, .. } => *delay,
            Self::Snooze { delay } => Some(*delay),
            _ => None,
        }
    }
}

fn raw_error(error: &JobError) -> Box<RawValue> {
    json::to_raw("error", &error.to_json()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn seconds(delay: Duration) -> f64 {
    delay.min(DELAY_MAX).as_secs_f64()
}

/// An ending on its way. Kept until the database has accepted or refused it.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) hold: Arc<Hold>,
    pub(crate) ending: Ending,
    /// Whether it was sent before and the answer was lost: one that is not final may have been
    /// accepted then.
    pub(crate) sent: bool,
}

impl Settlement {
    pub(crate) fn new(hold: Arc<Hold>, ending: Ending) -> Self {
        Self { hold, ending, sent: false }
    }

    pub(crate) fn release(hold: Arc<Hold>) -> Self {
        Self::new(hold, Ending::Release)
    }
}

/// Parallel lists for `settle_jobs`. A list that would be all nulls is left out: the common case,
/// all completed without a result, then takes the function's shortest way.
pub(crate) struct Batch<'a> {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) attempts: Vec<i32>,
    pub(crate) tokens: Vec<Uuid>,
    pub(crate) words: Vec<&'static str>,
    pub(crate) results: Option<Vec<Option<&'a str>>>,
    pub(crate) errors: Option<Vec<Option<&'a str>>>,
    pub(crate) delays: Option<Vec<Option<f64>>>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(settlements: &'a [Settlement]) -> Self {
        Self {
            ids: settlements.iter().map(|settlement| settlement.hold.id).collect(),
            attempts: settlements.iter().map(|settlement| settlement.hold.attempt).collect(),
            tokens: settlements.iter().map(|settlement| settlement.hold.lease_token).collect(),
            words: settlements.iter().map(|settlement| settlement.ending.word()).collect(),
            results: column(settlements, |ending| ending.result().map(RawValue::get)),
            errors: column(settlements, |ending| ending.error().map(RawValue::get)),
            delays: column(settlements, Ending::delay),
        }
    }
}

fn column<'a, T>(
    settlements: &'a [Settlement],
    of: impl Fn(&'a Ending) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    let any = settlements.iter().any(|settlement| of(&settlement.ending).is_some());
    any.then(|| settlements.iter().map(|settlement| of(&settlement.ending)).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::worker::held::hold::tests::hold;

    fn settlement(ending: Ending) -> Settlement {
        Settlement::new(hold(1, Instant::now(), Duration::from_secs(30)), ending)
    }

    #[test]
    fn columns_without_a_value_are_left_out() {
        let completed = [settlement(Ending::Complete(None)), settlement(Ending::Complete(None))];
        let batch = Batch::new(&completed);
        assert_eq!(batch.words, ["complete"; 2]);
        assert!(batch.results.is_none() && batch.errors.is_none() && batch.delays.is_none());
    }

    #[test]
    fn errors_and_delays_stand_beside_their_jobs() {
        let later = JobError::retry_after("busy", Duration::from_secs(3));
        let mixed = [settlement(Ending::Complete(None)), settlement(Ending::of(&later))];
        let batch = Batch::new(&mixed);
        assert_eq!(batch.words, ["complete", "retry"]);
        assert_eq!(batch.delays, Some(vec![None, Some(3.0)]));
        assert_eq!(batch.errors.unwrap()[1], Some(r#"{"message":"busy"}"#));
    }

    #[test]
    fn what_no_json_can_be_made_of_fails_that_job_only() {
        let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
        for ending in [Ending::with_result("a\0b"), Ending::with_result(&unwritable)] {
            assert_eq!(ending.word(), "fail");
            assert!(ending.error().unwrap().get().contains("result_invalid"));
        }
    }

    #[test]
    fn a_result_is_sent_as_its_handler_wrote_it() {
        let text = concat!(
            r#"{"big":123456789012345678901234567890,"#,
            r#""dec":0.1000000000000000055511151231257827,"money":1.10}"#
        );
        let raw = RawValue::from_string(text.into()).unwrap();
        let held = hold(1, Instant::now(), Duration::from_secs(30));
        let ending = Ending::of_outcome(Outcome::CompleteWithRaw(raw), &held).unwrap();
        assert_eq!(ending.result().unwrap().get(), text);
        let nul = RawValue::from_string(r#""\u0000""#.into()).unwrap();
        assert_eq!(
            Ending::of_outcome(Outcome::CompleteWithRaw(nul), &held).unwrap().word(),
            "fail"
        );
    }

    #[test]
    fn a_snooze_lasts_a_tenth_of_a_second_at_least() {
        assert_eq!(Ending::snooze(Duration::ZERO).delay(), Some(0.1));
        assert_eq!(Ending::snooze(Duration::from_secs(3)).delay(), Some(3.0));
    }

    #[test]
    fn delays_are_at_most_five_years() {
        assert!((seconds(Duration::MAX) - 157_766_400.0).abs() < 1.0);
    }

    #[test]
    fn the_proof_of_another_job_is_not_accepted() {
        let held = hold(1, Instant::now(), Duration::from_secs(30));
        let own = Outcome::Settled(crate::Settled::new(held.id, held.attempt));
        assert!(Ending::of_outcome(own, &held).is_none());
        let other = Outcome::Settled(crate::Settled::new(Uuid::nil(), 1));
        assert_eq!(Ending::of_outcome(other, &held).unwrap().word(), "fail");
    }
}
