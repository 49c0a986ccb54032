//! `fairclaim dispatch`: one job by flags.

use std::time::{Duration, SystemTime};

use clap::Args;
use fairclaim::{Dispatch, Tenant};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::args::Global;
use crate::error::Hinted;
use crate::{connect, output, value};

#[derive(Debug, Args)]
pub(crate) struct DispatchArgs {
    /// Who the job is for: a uuid, or any name, which always means the same uuid
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = super::tenant)]
    tenant: Tenant,
    /// What kind of work it is: the name a handler is registered for
    #[arg(long = "type", value_name = "TYPE")]
    job_type: String,
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
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: DispatchArgs) -> anyhow::Result<()> {
    let dispatch = build(&args)?;
    dispatch.check()?; // before anybody connects
    let client = connect::client(global).await?;
    let id = client.dispatch(dispatch).await?;
    if args.json {
        output::json(&json!({ "id": id, "tenant_id": args.tenant }))
    } else {
        output::line(id.to_string())
    }
}

fn build(args: &DispatchArgs) -> anyhow::Result<Dispatch> {
    if args.payload == "-" && args.metadata.as_deref() == Some("-") {
        return Err(Hinted::usage(
            "--payload and --metadata cannot both read stdin",
            "put one of them into a file and pass @file",
        )
        .into());
    }
    let payload = value::document("payload", &args.payload)?;
    let mut dispatch = Dispatch::raw(args.tenant, &args.job_type, payload)?.queue(&args.queue);
    if let Some(priority) = args.priority {
        dispatch = dispatch.priority(priority);
    }
    if let Some(delay) = args.delay {
        dispatch = dispatch.delay(delay);
    }
    if let Some(at) = args.run_at {
        dispatch = dispatch.run_at(at);
    }
    if let Some(attempts) = args.max_attempts {
        dispatch = dispatch.max_attempts(attempts);
    }
    if let Some(timeout) = args.timeout {
        dispatch = dispatch.timeout(timeout);
    }
    for tag in &args.tags {
        dispatch = dispatch.tag(tag);
    }
    if let Some(metadata) = &args.metadata {
        for (key, value) in object(&value::document("metadata", metadata)?)? {
            dispatch = dispatch.metadata(key, value);
        }
    }
    Ok(dispatch)
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
