//! What a handler may look like, and how any of them becomes a function of payload and attempt.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    error::{Error, Result},
    protocol::outcome::{JobError, Outcome},
    worker::attempt::Attempt,
};

/// The application's state, as a third argument of a handler; given to the worker with
/// [`WorkerBuilder::state`](super::WorkerBuilder::state) and cloned for every attempt.
#[derive(Debug, Clone, Copy)]
pub struct State<S>(pub S);

/// A job as it was dispatched, for handlers of types that have no Rust type.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct RawJob {
    /// The payload's JSON text, as the database keeps it.
    pub payload: Box<RawValue>,
}

/// A function that runs jobs of type `J`.
///
/// Implemented for async functions `(job: J, attempt: Attempt)` and
/// `(job: J, attempt: Attempt, State(app): State<S>)` that return `Result<Outcome, JobError>`. `()`
/// stands for [`Outcome::Complete`], and any error for one that asks for a retry.
///
/// ```
/// use fairclaim::{Attempt, Job, JobError, Outcome};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct SendMail { to: String }
/// impl Job for SendMail { const TYPE: &'static str = "send_mail"; }
///
/// async fn send_mail(job: SendMail, attempt: Attempt) -> Result<Outcome, JobError> {
///     println!("attempt {} for {}", attempt.number(), job.to);
///     Ok(Outcome::Complete)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of jobs",
    label = "not a handler",
    note = "a handler is an `async fn(job: J, attempt: Attempt) -> Result<Outcome, JobError>` \
            where `J: fairclaim::Job`",
    note = "a third argument may be `State(app): State<App>` where \
            `App: Clone + Send + Sync + 'static`",
    note = "its future must be `Send`: nothing like an `Rc` or a `MutexGuard` may live across an \
            `.await`"
)]
pub trait Handler<J, Args>: Clone + Send + Sync + 'static {
    /// Looks up the state it needs and becomes a function of the payload.
    #[doc(hidden)]
    fn bind(self, job_type: &str, states: &States) -> Result<Bound>;
}

/// A handler without its types.
#[doc(hidden)]
#[derive(Clone)]
pub struct Bound(pub(crate) Arc<dyn Fn(Box<RawValue>, Attempt) -> Running + Send + Sync>);

impl std::fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Bound")
    }
}

/// One attempt under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Outcome, JobError>> + Send>>;

impl<J, F, Fut, O, E> Handler<J, (Attempt,)> for F
where
    J: DeserializeOwned + Send + 'static,
    F: Fn(J, Attempt) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Into<Outcome>,
    E: Into<JobError>,
{
    fn bind(self, _job_type: &str, _states: &States) -> Result<Bound> {
        Ok(Bound(Arc::new(move |payload, attempt| {
            let handler = self.clone();
            Box::pin(async move {
                let job = parse(&payload)?;
                drop(payload);
                handler(job, attempt).await.map(Into::into).map_err(Into::into)
            })
        })))
    }
}

impl<J, F, Fut, O, E, S> Handler<J, (Attempt, State<S>)> for F
where
    J: DeserializeOwned + Send + 'static,
    F: Fn(J, Attempt, State<S>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Into<Outcome>,
    E: Into<JobError>,
    S: Clone + Send + Sync + 'static,
{
    fn bind(self, job_type: &str, states: &States) -> Result<Bound> {
        let state: S = states.get().ok_or_else(|| {
            let needed = type_name::<S>();
            Error::configuration(
                format!(
                    "the handler of {job_type} needs State<{needed}>, and the worker was not given \
                     one"
                ),
                "call .state(..) on the worker's builder with a value of that type",
            )
        })?;
        Ok(Bound(Arc::new(move |payload, attempt| {
            let (handler, state) = (self.clone(), state.clone());
            Box::pin(async move {
                let job = parse(&payload)?;
                drop(payload);
                handler(job, attempt, State(state)).await.map(Into::into).map_err(Into::into)
            })
        })))
    }
}

/// What [`JobError::to_json`] calls a payload that its handler's type does not read.
pub(crate) const BAD_PAYLOAD: &str = "bad_payload";

/// The parser's own message may quote the payload; where it stopped is all that is safe to say.
fn parse<J: DeserializeOwned>(payload: &RawValue) -> Result<J, JobError> {
    serde_json::from_str(payload.get()).map_err(|error| {
        let (what, at) = (type_name::<J>(), error.column());
        JobError::retry(format!(
            "the payload does not read as {what} (it stops at character {at} of its text)"
        ))
        .code(BAD_PAYLOAD)
    })
}

/// The values that handlers may ask for, one of each type.
#[doc(hidden)]
#[derive(Default)]
pub struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn put<S: Clone + Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Box::new(state));
    }

    fn get<S: Clone + 'static>(&self) -> Option<S> {
        self.0.get(&TypeId::of::<S>()).and_then(|state| state.downcast_ref::<S>()).cloned()
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("States").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, Deserialize)]
    struct Number {
        value: u32,
    }

    async fn plain(job: Number, _attempt: Attempt) -> Result<Outcome, JobError> {
        Ok(Outcome::CompleteWith(job.value.into()))
    }

    async fn nothing(_job: Number, _attempt: Attempt) -> Result<(), std::io::Error> {
        Ok(())
    }

    async fn with_state(
        job: Number,
        _attempt: Attempt,
        State(add): State<u32>,
    ) -> Result<Outcome, JobError> {
        Ok(Outcome::CompleteWith((job.value + add).into()))
    }

    async fn raw(job: RawJob, _attempt: Attempt) -> Result<Outcome, JobError> {
        Ok(Outcome::CompleteWith(job.payload.get().into()))
    }

    fn bound<J, Args>(handler: impl Handler<J, Args>) -> Result<Bound> {
        let mut states = States::default();
        states.put(40_u32);
        handler.bind("number", &states)
    }

    async fn run(bound: Bound, payload: &str) -> Result<Outcome, JobError> {
        let payload = RawValue::from_string(payload.into()).unwrap();
        bound.0(payload, Attempt::for_test(1)).await
    }

    #[tokio::test]
    async fn all_shapes_of_handlers_run() {
        let payload = r#"{"value": 2}"#;
        assert_eq!(
            run(bound(plain).unwrap(), payload).await.unwrap(),
            Outcome::CompleteWith(2.into())
        );
        assert_eq!(run(bound(nothing).unwrap(), payload).await.unwrap(), Outcome::Complete);
        assert_eq!(
            run(bound(with_state).unwrap(), payload).await.unwrap(),
            Outcome::CompleteWith(42.into())
        );
        assert_eq!(
            run(bound(raw).unwrap(), payload).await.unwrap(),
            Outcome::CompleteWith(payload.into())
        );
    }

    #[tokio::test]
    async fn a_payload_that_does_not_parse_is_not_quoted() {
        let error = run(bound(plain).unwrap(), r#"{"value": "secret"}"#).await.unwrap_err();
        let text = error.to_json().to_string();
        assert!(text.contains(BAD_PAYLOAD) && !text.contains("secret"), "{text}");
    }

    #[test]
    fn a_missing_state_is_named() {
        let error = with_state.bind("number", &States::default()).unwrap_err();
        assert!(error.to_string().contains("the handler of number needs State<u32>"), "{error}");
        assert!(error.hint().unwrap().contains(".state("));
    }
}
