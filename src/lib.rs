//! A background-job queue inside your own PostgreSQL, for applications with many tenants.
//!
//! An application **dispatches** jobs in its own transaction; **workers** anywhere **claim** them,
//! each job by exactly one worker at a time; every attempt is **settled** as completed, retried,
//! snoozed, cancelled or failed. Tenants are served in turn, so one that floods the queue delays no
//! other. No extension, no second server, no superuser.
//!
//! - [`Job`] is a serde type with a name; [`Dispatch`] puts one in, on a [`Client`] or in your
//!   transaction.
//! - [`Worker`] runs your handlers: async functions of a job and its [`Attempt`] that return an
//!   [`Outcome`].
//! - [`Client::job`], [`Client::jobs`], [`Client::cancel`], [`Client::retry`], [`Client::queues`]
//!   and [`Client::pause_queue`] are for operators, [`Client::tenant_stats`],
//!   [`Client::queue_stats`] and [`Client::why_waiting`] tell them what happens.
//! - [`Client::migrate`] installs the schema; everything else is a call to one of its functions.
//!
//! ```no_run
//! use fairclaim::{
//!     Attempt, Client, Dispatch, Job, JobError, MigrateOptions, Outcome, Tenant, Worker,
//! };
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct SendMail { to: String }
//!
//! impl Job for SendMail {
//!     const TYPE: &'static str = "send_mail";
//!     const QUEUE: &'static str = "mail";
//! }
//!
//! async fn send_mail(job: SendMail, attempt: Attempt) -> Result<Outcome, JobError> {
//!     println!("attempt {} at a mail of {} bytes", attempt.number(), job.to.len());
//!     Ok(Outcome::Complete)
//! }
//!
//! # async fn example() -> Result<(), fairclaim::Error> {
//! let client = Client::connect("postgres://app@localhost/app").await?;
//! let one_login_for_all = MigrateOptions::default().grant_self(true); // to try it out
//! client.migrate(&one_login_for_all).await?;
//!
//! let mail = SendMail { to: "a@b.example".into() };
//! client.dispatch(Dispatch::new(Tenant::named("acme")?, &mail)?).await?;
//!
//! let worker = Worker::builder(client).queue("mail", 10).handler(send_mail).build()?;
//! worker.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
//! # Ok(()) }
//! ```

//!
//! # Features
//!
//! All are on by default. A program that only dispatches needs `tls` at most.
//!
//! - `tls`: encrypted connections.
//! - `worker`: [`Worker`], which runs handlers.
//! - `migrate`: [`Client::migrate`], with the files of the schema in the program.
//! - `doctor`: [`Client::diagnose`], which examines an installation; it needs `migrate`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "tls", feature = "worker", feature = "doctor")),
    allow(dead_code, reason = "statements and helpers of the parts that are left out")
)]

/// Compiles the examples of the README and of the guide, like any other.
#[cfg(all(doctest, feature = "worker"))]
mod pages {
    macro_rules! page {
        ($name:ident, $path:literal) => {
            #[doc = include_str!($path)]
            struct $name;
        };
    }
    page!(Readme, "../README.md");
    page!(FirstWorker, "../docs/guide/first-worker.md");
    page!(HandlersAndErrors, "../docs/guide/handlers-and-errors.md");
    page!(OwnTransaction, "../docs/guide/own-transaction.md");
    page!(Retries, "../docs/guide/retries.md");
    page!(StateAndCancellation, "../docs/guide/state-and-cancellation.md");
    page!(Tenants, "../docs/guide/tenants.md");
    page!(Testing, "../docs/guide/testing.md");
}

mod client;
#[cfg(feature = "doctor")]
mod doctor;
mod error;
mod protocol;
#[cfg(feature = "migrate")]
mod schema;
#[cfg(feature = "worker")]
mod worker;

// The driver and its pool, in the versions that `execute` takes.
pub use {deadpool_postgres, tokio_postgres};

pub use client::{
    Client,
    bulk::{BulkTotals, Count},
    connect::{ConnectOptions, ConnectionMode},
    dispatch::{Lines, LinesProgress, dispatch_many_in},
    executor::Executor,
    operator::{Changed, Deleted, JobPage, Pruned, RangesDropped},
    queues::{FairBy, QueueChange, QueueFairness, QueueRow},
    quotas::{DrainChange, QuotaRow},
    settings::Setting,
    tenant_jobs::{ExportItem, ExportPage, PurgeTotals, TenantCount, TenantTotals},
    tenant_names::TenantNames,
    workers::WorkerRow,
};
#[cfg(feature = "doctor")]
pub use doctor::{Diagnosis, Finding, Level};
pub use error::{Bounds, Error, ErrorKind, Result};
pub use protocol::{
    bound::{AuditEntry, Because, Bound, BoundChange, DeclaredChange, TenantChange},
    dispatch::Dispatch,
    job::Job,
    job_brief::JobBrief,
    job_filter::JobFilter,
    job_row::{JobRow, JobTexts},
    outcome::{JobError, Next, Outcome, Settled},
    stats::{Flow, QueueStats, Spans, TenantStats, TenantStatsFilter, TenantStatsPage, WhyWaiting},
    status::Status,
    tenant::{DefaultTenant, Owner, Tenant},
};
#[cfg(feature = "migrate")]
pub use schema::{
    MigrateOptions, MigrateReport, script as migration_script, version as schema_version,
};
#[cfg(feature = "worker")]
pub use worker::{
    Attempt, CLAIM_SIZE_CLASSES, Handler, RawJob, State, Worker, WorkerBuilder, WorkerHandle,
    WorkerReport,
};
