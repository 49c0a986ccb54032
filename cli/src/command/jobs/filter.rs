//! The flags that say which jobs are meant.

use std::time::Duration;

use clap::Args;
use fairclaim::{JobFilter, Status, Tenant};

use crate::value;
use crate::value::tenant;

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only this tenant's: a uuid or a name
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = tenant)]
    pub(super) tenant: Option<Tenant>,
    /// Only those in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only those of this type
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<String>,
    /// scheduled, pending, processing, completed, failed or cancelled
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only those dispatched longer ago (90s, 2h, 7d)
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    older_than: Option<Duration>,
    /// Only those dispatched within this time
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    newer_than: Option<Duration>,
    /// Only those whose last error has this in its code, message or trace (what a command wrote to
    /// stderr); needs fairclaim_auditor
    #[arg(long, value_name = "TEXT", value_parser = value::sought)]
    error: Option<String>,
}

impl FilterArgs {
    /// Makes the filter that the library takes.
    pub(super) fn filter(&self) -> JobFilter {
        JobFilter {
            tenant: self.tenant.clone(),
            queue: self.queue.clone(),
            job_type: self.job_type.clone(),
            status: self.status,
            older_than: self.older_than,
            newer_than: self.newer_than,
            error: self.error.clone(),
            ..JobFilter::default()
        }
    }

    /// Whether anything but a tenant is asked for.
    pub(super) fn is_more_than_a_tenant(&self) -> bool {
        JobFilter { tenant: None, ..self.filter() } != JobFilter::default()
    }
}

fn status(text: &str) -> Result<Status, String> {
    text.parse().map_err(|_| {
        "it is one of scheduled, pending, processing, completed, failed, cancelled".to_owned()
    })
}
