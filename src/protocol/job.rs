//! The trait that makes a serde type a job.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

/// A kind of work: a serde type whose values are the payloads.
///
/// The type's name is how a worker finds its handler, so it must not change while jobs of it wait.
/// The other constants are defaults that one dispatch can override.
///
/// ```
/// use std::time::Duration;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct SendMail { to: String }
///
/// impl fairclaim::Job for SendMail {
///     const TYPE: &'static str = "send_mail";
///     const QUEUE: &'static str = "mail";
///     const TIMEOUT: Option<Duration> = Some(Duration::from_secs(20));
/// }
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The name that a handler is registered for: `^[A-Za-z0-9][A-Za-z0-9_.:-]*$`, at most 64
    /// characters.
    const TYPE: &'static str;
    /// The queue that a worker subscribes to: `^[a-z0-9][a-z0-9_.:-]*$`, at most 64 characters.
    const QUEUE: &'static str = "default";
    /// The place among the jobs of one tenant: −100 to 100, higher first.
    const PRIORITY: i32 = 0;
    /// How many attempts may fail before the job itself does: 1 to 100.
    const MAX_ATTEMPTS: i32 = 25;
    /// How long one attempt may take: 1 ms to 24 h. Without it an attempt may run for as long as
    /// its lease is extended.
    const TIMEOUT: Option<Duration> = None;
}
