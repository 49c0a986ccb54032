//! `fairclaim dispatch`: one job by flags, or many from JSON Lines.

mod item;
mod lines;
mod origin;
mod private_file;
mod reader;
mod report;
mod sender;
mod source;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use fairclaim::{DefaultTenant, Dispatch, ErrorKind, Owner, Tenant};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::Hinted;
use crate::global::Global;
use crate::{connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim dispatch --tenant acme --type welcome_mail --payload '{\"to\": \"ada@example.org\"}'
  echo '{\"n\": 7}' | fairclaim dispatch --tenant acme --type report --payload - --delay 5m
  echo '{\"payload\": 8}' | fairclaim dispatch --file - --tenant acme --type report";

/// Needs the role fairclaim_producer.
///
/// With --file it takes many jobs, one JSON object a line, with the names of these flags: tenant
/// (or tenant_id), type, payload, queue, priority, run_at, delay, max_attempts, timeout, tags,
/// metadata, key, keep_order. What a line leaves out is as the flags say. Lines that are refused do not stop the
/// others. Run again with the same flags, also after a crash, it sends no line twice.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DispatchArgs {
    /// Many jobs: a file of JSON Lines, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<PathBuf>,
    /// Where refused lines go as they are, to be mended and sent; FILE.reasons says why
    #[arg(long, value_name = "FILE", requires = "file")]
    refused: Option<PathBuf>,
    /// By which name to remember how far the lines were sent [default: the SHA-256 of the file]
    #[arg(long, value_name = "NAME", requires = "file")]
    source: Option<String>,
    /// Who the job is for: a uuid, or any name, which always means the same uuid [default: the
    /// setting default_tenant]
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Option<Tenant>,
    /// What kind of work it is: the name a handler is registered for
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<String>,
    /// The input of the work: JSON, @file, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "{}", allow_negative_numbers = true)]
    payload: String,
    /// The queue that workers subscribe to
    #[arg(long, default_value = "default")]
    queue: String,
    /// Among the jobs of the same tenant, -100 to 100, higher first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Wait this long before it may run (30s, 5m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = value::duration, conflicts_with = "run_at")]
    delay: Option<Duration>,
    /// Not before this moment (2027-01-31T09:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    run_at: Option<SystemTime>,
    /// How many attempts may fail before the job does, 1 to 100
    #[arg(long, value_name = "N")]
    max_attempts: Option<i32>,
    /// How long one attempt may take
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    timeout: Option<Duration>,
    /// A word to find it by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// What to note beside the payload: a JSON object, @file, or - for stdin
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// What it shares with other jobs of the tenant, such as an account: one of them runs at a time
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Let no other job of the key run while this one waits for a retry
    #[arg(long)]
    keep_order: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: DispatchArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.file {
        return lines::run(global, &args, path).await;
    }
    let dispatch = build(&args)?;
    dispatch.check()?; // before it connects
    let client = connect::client(global).await?;
    let id = client.dispatch(dispatch).await.map_err(|error| tenantless(error, &args))?;
    if args.json {
        output::json(&json!({ "id": id, "tenant_id": args.tenant }))
    } else {
        output::line(id.to_string())
    }
}

/// Says what to do where no tenant is given and the settings have none.
fn tenantless(error: fairclaim::Error, args: &DispatchArgs) -> anyhow::Error {
    if error.kind() != ErrorKind::TenantMissing || args.tenant.is_some() {
        return error.into();
    }
    let hint = "pass --tenant with a name or a uuid; or, where there is one tenant only, say it once: \
                `fairclaim settings set default_tenant app`";
    Hinted::usage("--tenant is missing, and the settings have no default_tenant", hint).into()
}

fn build(args: &DispatchArgs) -> anyhow::Result<Dispatch> {
    let missing = |flag: &str| {
        Hinted::usage(
            format!("{flag} is missing"),
            "one job needs --type, and --tenant where there is no default tenant; --file takes many, as JSON Lines",
        )
    };
    let tenant: Owner = args.tenant.as_ref().map_or_else(|| DefaultTenant.into(), Owner::from);
    let job_type = args.job_type.as_deref().ok_or_else(|| missing("--type"))?;
    if args.payload == "-" && args.metadata.as_deref() == Some("-") {
        return Err(Hinted::usage(
            "--payload and --metadata cannot both read stdin",
            "put one of them into a file and pass @file",
        )
        .into());
    }
    let payload = value::document("payload", &args.payload)?;
    Ok(args.options()?.apply(Dispatch::raw(tenant, job_type, payload)?, true, true))
}

impl DispatchArgs {
    /// Reads the flags that may be left out.
    fn options(&self) -> anyhow::Result<JobOptions> {
        if self.metadata.as_deref() == Some("-")
            && self.file.as_ref().is_some_and(|file| file.as_os_str() == "-")
        {
            return Err(Hinted::usage(
                "--file and --metadata cannot both read stdin",
                "put one of them into a file",
            )
            .into());
        }
        let metadata = self.metadata.as_ref();
        let metadata =
            metadata.map(|text| object(&value::document("metadata", text)?)).transpose()?;
        Ok(JobOptions {
            queue: Some(self.queue.clone()),
            priority: self.priority,
            delay: self.delay,
            run_at: self.run_at,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            tags: self.tags.clone(),
            metadata: metadata.unwrap_or_default(),
            key: self.key.clone(),
            keep_order: self.keep_order,
        })
    }
}

/// What a job may leave to its defaults.
#[derive(Debug, Clone, Default)]
struct JobOptions {
    queue: Option<String>,
    priority: Option<i32>,
    delay: Option<Duration>,
    run_at: Option<SystemTime>,
    max_attempts: Option<i32>,
    timeout: Option<Duration>,
    tags: Vec<String>,
    metadata: Map<String, Value>,
    key: Option<String>,
    keep_order: bool,
}

impl JobOptions {
    /// Sets them; tags and metadata only where they are wanted, since what else is set replaces and
    /// these add.
    fn apply(&self, mut dispatch: Dispatch, tags: bool, metadata: bool) -> Dispatch {
        if let Some(queue) = &self.queue {
            dispatch = dispatch.queue(queue);
        }
        if let Some(priority) = self.priority {
            dispatch = dispatch.priority(priority);
        }
        if let Some(delay) = self.delay {
            dispatch = dispatch.delay(delay);
        }
        if let Some(at) = self.run_at {
            dispatch = dispatch.run_at(at);
        }
        if let Some(attempts) = self.max_attempts {
            dispatch = dispatch.max_attempts(attempts);
        }
        if let Some(timeout) = self.timeout {
            dispatch = dispatch.timeout(timeout);
        }
        if let Some(key) = &self.key {
            dispatch = dispatch.key(key);
        }
        if self.keep_order {
            dispatch = dispatch.keep_order(true);
        }
        for tag in self.tags.iter().filter(|_| tags) {
            dispatch = dispatch.tag(tag);
        }
        for (key, value) in self.metadata.iter().filter(|_| metadata) {
            dispatch = dispatch.metadata(key, value.clone());
        }
        dispatch
    }
}

fn object(document: &RawValue) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(document.get()).map_err(|_| {
        Hinted::usage(
            "--metadata is not a JSON object of plain values",
            "pass an object, like '{\"request\": \"r-17\"}'",
        )
        .into()
    })
}
