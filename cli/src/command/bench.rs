//! `fairclaim bench`: what this build does on this machine.

use fairclaim_bench::{Bench, ForeignJobs};

use crate::error::Hinted;
use crate::global::Global;
use crate::output;

pub(crate) async fn run(global: &Global, bench: Bench) -> anyhow::Result<()> {
    let url = global.database_url.as_deref();
    let report = bench.measure(url, global.connect_options()).await.map_err(explained)?;
    if bench.json() { output::json(&report) } else { output::line(report.render()) }
}

fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ForeignJobs>() {
        Some(foreign) => Hinted::failed(foreign.to_string(), ForeignJobs::HINT).into(),
        None => error,
    }
}
