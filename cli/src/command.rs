//! One module per command.

#[cfg(feature = "bench")]
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dispatch;
pub(crate) mod doctor;
pub(crate) mod jobs;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod prune;
pub(crate) mod queues;
pub(crate) mod settings;
pub(crate) mod tenants;
pub(crate) mod work;
pub(crate) mod workers;

use clap::CommandFactory;

use crate::args::{Cli, Command};
use crate::{demo, log, pages};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    global.color.hold();
    log::start(global.log_format, command.log_level())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(&global, args).await,
            Command::Migrate(args) => migrate::run(&global, args).await,
            Command::Dispatch(args) => dispatch::run(&global, args).await,
            Command::Work(args) => work::run(&global, args).await,
            Command::Jobs(args) => jobs::run(&global, args).await,
            Command::Queues(args) => queues::run(&global, args).await,
            Command::Tenants(args) => tenants::run(&global, args).await,
            Command::Workers(args) => workers::run(&global, args).await,
            Command::Settings(args) => settings::run(&global, args).await,
            Command::Prune(args) => prune::run(&global, &args).await,
            Command::Completions(args) => completions::run(&args, &Cli::command()),
            Command::Man(args) => man::run(&args, &pages::of(Cli::command())),
            Command::Doctor(args) => doctor::run(&global, args).await,
            #[cfg(feature = "bench")]
            Command::Bench(args) => bench::run(&global, args).await,
            Command::DemoWorker(args) => demo::run_worker(&global, args).await,
        }
    });
    // a read of stdin that never returns must not keep the process
    runtime.shutdown_background();
    done
}
