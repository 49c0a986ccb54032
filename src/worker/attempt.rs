//! What a handler knows about the attempt it is running.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use tokio_postgres::Transaction;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::{Error, ErrorKind, Result},
    protocol::{
        json,
        outcome::{Outcome, Settled},
        statements,
        tenant::Tenant,
    },
    worker::held::hold::{Hold, Stage},
};

/// One attempt at a job: which job, which number, how long it may take, and how to end it.
#[derive(Debug, Clone)]
pub struct Attempt {
    hold: Arc<Hold>,
    worker_id: Arc<str>,
    deadline: Option<Instant>,
}

impl Attempt {
    pub(crate) fn new(hold: Arc<Hold>, worker_id: Arc<str>, deadline: Option<Instant>) -> Self {
        Self { hold, worker_id, deadline }
    }

    /// The job's id.
    pub fn id(&self) -> Uuid {
        self.hold.id
    }

    /// The tenant whose job it is.
    pub fn tenant_id(&self) -> Tenant {
        self.hold.tenant.into()
    }

    /// The queue it was claimed from.
    pub fn queue(&self) -> &str {
        &self.hold.queue
    }

    /// The name its handler is registered for.
    pub fn job_type(&self) -> &str {
        &self.hold.job_type
    }

    /// How often the job was claimed, this time included; it starts at 1 and never restarts.
    pub fn number(&self) -> i32 {
        self.hold.attempt
    }

    /// How many attempts of the job may fail.
    pub fn max_attempts(&self) -> i32 {
        self.hold.max_attempts
    }

    /// How many of these are left, this one included: at 1, a retry asked for now makes the job
    /// fail.
    pub fn attempts_left(&self) -> i32 {
        self.hold.attempts_left
    }

    /// When it was dispatched, by the database's clock.
    pub fn created_at(&self) -> SystemTime {
        self.hold.created_at
    }

    /// What the dispatcher noted beside the payload: an object, empty if there is nothing. A number
    /// beyond the range of `f64` stands as its text, and one with more digits than that is rounded:
    /// [`Attempt::raw_metadata`] has them all.
    pub fn metadata(&self) -> Value {
        let text = self.hold.metadata.as_ref();
        text.map_or_else(|| Value::Object(Map::new()), |text| json::value(text))
    }

    /// The metadata as the JSON text that the database keeps; none if there is nothing.
    pub fn raw_metadata(&self) -> Option<&RawValue> {
        self.hold.metadata.as_deref()
    }

    /// The worker that claimed it.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// When this attempt times out, if it has a time-out. The handler's future is dropped then.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A token that is cancelled when the work should stop: the job is to be cancelled, its lease
    /// is lost or about to be, or the worker's grace period is over. What the handler returns then
    /// is settled as ever, if the lease still holds; but an error that asks for another attempt
    /// uses none up, unless the job is to be cancelled.
    pub fn cancellation(&self) -> CancellationToken {
        self.hold.cancellation.clone()
    }

    /// Completes the job in the handler's own transaction, so that what the job did and that it is
    /// done commit together. Return the outcome that it gives; if the transaction does not commit,
    /// return an error instead.
    ///
    /// ```no_run
    /// # use fairclaim::{Attempt, Client, Job, JobError, Outcome, State};
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Bill { amount: i64 }
    /// # impl Job for Bill { const TYPE: &'static str = "bill"; }
    /// async fn bill(
    ///     job: Bill,
    ///     attempt: Attempt,
    ///     State(client): State<Client>,
    /// ) -> Result<Outcome, JobError> {
    ///     let mut connection = client.pool().get().await?;
    ///     let mut transaction = connection.build_transaction().start().await?;
    ///     transaction.execute("insert into ledger (amount) values ($1)", &[&job.amount]).await?;
    ///     let outcome = attempt.complete_in(&mut transaction, None).await?;
    ///     transaction.commit().await?;
    ///     Ok(outcome)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) when another attempt has the job: roll
    /// back. [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a result that
    /// the database cannot store: roll back too.
    pub async fn complete_in(
        &self,
        transaction: &mut Transaction<'_>,
        result: Option<Value>,
    ) -> Result<Outcome> {
        let raw = result.map(|value| json::to_raw("result", &value)).transpose()?;
        self.settle_in(transaction, raw).await
    }

    /// Completes the job in the same way, with a result that is kept digit by digit, as by
    /// [`Outcome::complete_with`].
    ///
    /// # Errors
    /// As [`Attempt::complete_in`].
    pub async fn complete_with_in<T: Serialize + ?Sized>(
        &self,
        transaction: &mut Transaction<'_>,
        result: &T,
    ) -> Result<Outcome> {
        let raw = json::to_raw("result", result)?;
        self.settle_in(transaction, Some(raw)).await
    }

    async fn settle_in(
        &self,
        transaction: &mut Transaction<'_>,
        raw: Option<Box<RawValue>>,
    ) -> Result<Outcome> {
        let results = raw.as_ref().map(|raw| vec![Some(raw.get())]);
        let hold = &*self.hold;
        let rows = statements::SETTLE
            .rows(
                &*transaction,
                &[
                    &&*self.worker_id,
                    &[hold.id].as_slice(),
                    &[hold.attempt].as_slice(),
                    &[hold.lease_token].as_slice(),
                    &["complete"].as_slice(),
                    &results,
                    &None::<Vec<Option<&str>>>,
                    &None::<Vec<Option<f64>>>,
                ],
            )
            .await?;
        let kind = rows.first().map(|row| row.try_get::<_, &str>("kind")).transpose()?;
        if kind != Some("settled") {
            let message =
                format!("attempt {} of job {} is settled or was taken over", hold.attempt, hold.id);
            return Err(Error::new(ErrorKind::LeaseLost, message)
                .with_hint("roll this transaction back; another attempt does the work"));
        }
        if rows[0].try_get::<_, &str>("status")? != "completed" {
            return Err(Error::invalid_argument("result", "must be at most 1 MiB of JSON text"));
        }
        hold.advance(Stage::Settled);
        Ok(Outcome::Settled(Settled::new(hold.id, hold.attempt)))
    }

    #[cfg(test)]
    pub(crate) fn for_test(number: i32) -> Self {
        let hold = crate::worker::held::hold::tests::hold(
            number,
            Instant::now(),
            std::time::Duration::from_secs(30),
        );
        Self::new(hold, "test".into(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_no_parser_takes_is_told_all_the_same() {
        let second = std::time::Duration::from_secs(1);
        let mut hold = crate::worker::held::hold::tests::hold(1, Instant::now(), second);
        let text = RawValue::from_string(r#"{"trace": "t-1", "n": 1e400}"#.into()).unwrap();
        Arc::get_mut(&mut hold).unwrap().row.metadata = Some(text);
        let attempt = Attempt::new(hold, "test".into(), None);
        assert_eq!(attempt.metadata(), serde_json::json!({"trace": "t-1", "n": "1e400"}));
        assert_eq!(Attempt::for_test(1).metadata(), serde_json::json!({}));
    }
}
