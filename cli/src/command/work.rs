//! `fairclaim work`: a worker whose handlers are commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use fairclaim::{Attempt, Client, RawJob, WorkerBuilder};
use tokio::signal::unix::{SignalKind, signal as user_signal};

use crate::connect;
use crate::error::Hinted;
use crate::exec::{ENDS_WITHIN, EXIT_CODES, Exec, ShowOutput};
use crate::global::Global;
use crate::signals::Signals;

/// Runs until SIGINT, SIGTERM or SIGHUP: it then stops claiming, lets running commands finish
/// within the grace period, and gives the rest back. A second signal ends it at once. A database
/// that is away when it starts is waited for, up to a minute; one that goes away later, for ever.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct WorkArgs {
    /// A queue to take jobs from, and how many of them to run at once; may be repeated
    #[arg(long = "queue", value_name = "NAME[:N]", default_value = "default", value_parser = queue)]
    queues: Vec<Queue>,
    /// What to run, by sh -c, for jobs of a type; may be repeated
    #[arg(long, value_name = "TYPE=COMMAND", required = true, value_parser = handler)]
    exec: Vec<Handler>,
    /// What the log shows of what commands write
    #[arg(long, value_name = "WHAT", default_value = "errors")]
    show_output: ShowOutput,
    /// Stop when there is nothing left to do
    #[arg(long)]
    drain: bool,
    /// How long a job stays this worker's without a sign of life (1s to 24h)
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = crate::value::duration)]
    lease: Duration,
    /// How long running commands may go on after the first signal
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = crate::value::duration)]
    grace: Duration,
    /// How this worker signs what it claims; made up when not given
    #[arg(long, value_name = "TEXT")]
    worker_id: Option<String>,
    /// The longest pause between two looks at an idle queue (5ms to 1m) [default: 1s behind a
    /// pooler, 90s where dispatches wake it]
    #[arg(long, value_name = "DURATION", value_parser = crate::value::duration)]
    poll: Option<Duration>,
    /// Close all connections and send nothing after so long without a job, until one is due,
    /// SIGUSR1 or --wake-port (1s to 24h)
    #[arg(long, value_name = "DURATION", value_parser = crate::value::duration)]
    sleep_after: Option<Duration>,
    /// Where any HTTP request ends a sleep; a port alone is one of this machine's own, 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", requires = "sleep_after", value_parser = crate::wake_port::address)]
    wake_port: Option<std::net::SocketAddr>,
}

/// How many jobs of a queue run at once when the flag does not say.
const DEFAULT_CONCURRENCY: usize = 10;
/// How long a worker that starts waits for its database.
const START_PATIENCE: Duration = Duration::from_secs(60);
const START_PAUSE: Duration = Duration::from_millis(250);
const START_PAUSE_MAX: Duration = Duration::from_secs(4);
/// How long to wait, after the second signal, for killed commands to be gone.
const KILL_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Queue {
    name: String,
    concurrency: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Handler {
    job_type: String,
    command: Arc<str>,
}

pub(crate) async fn run(global: &Global, args: WorkArgs) -> anyhow::Result<()> {
    let exec = Exec::showing(args.show_output);
    let builder = builder(&args, &exec);
    builder.check()?; // before it connects
    let signals = Signals::listen()?;
    let port = crate::wake_port::bind(args.wake_port).await?;
    let mut calls = user_signal(SignalKind::user_defined1())?;
    exec.check().await?;
    let work = async {
        let worker = tokio::select! {
            client = client(global, args.drain) => builder.client(client?).build()?,
            () = signals.graceful() => return Ok(()), // it has nothing to give back yet
        };
        let handle = worker.handle();
        let wakes = async {
            tokio::join!(crate::wake_port::serve(port, &handle), async {
                while calls.recv().await.is_some() {
                    handle.wake();
                }
            })
        };
        let ended = tokio::select! {
            ended = worker.run(told_to_end(&signals, &exec)) => ended,
            _ = wakes => unreachable!("they never end"),
        };
        exec.finish().await;
        Ok(ended.map(drop)?)
    };
    tokio::select! {
        ended = work => ended,
        () = signals.immediate() => {
            exec.kill();
            let _ = tokio::time::timeout(KILL_GRACE, exec.finish()).await;
            Err(Hinted::interrupted(
                "stopped at once; running commands were killed",
                "their jobs return to other workers when their leases expire",
            )
            .into())
        }
    }
}

/// Waits for the first signal, and says how to make a worker stop waiting for its commands.
async fn told_to_end(signals: &Signals, exec: &Exec) {
    signals.graceful().await;
    let running = exec.running();
    if running > 0 {
        tracing::info!(
            running,
            "a second Ctrl-C (SIGINT or SIGTERM) kills the commands that still run, and ends this at once"
        );
    }
}

/// Waits for a server that is being started, or has no room just now: a worker that its supervisor
/// starts in that moment must not die of it. It does not wait for ever, since the address may be
/// wrong, and not with --drain, whose caller waits for the end.
async fn client(global: &Global, drain: bool) -> anyhow::Result<Client> {
    let (began, mut pause) = (Instant::now(), START_PAUSE);
    loop {
        match connect::client(global).await {
            Err(error) if may_pass(&error) && !drain && began.elapsed() < START_PATIENCE => {
                if pause == START_PAUSE {
                    let at_most = START_PATIENCE.as_secs();
                    tracing::warn!(%error, "the database is not ready yet: trying for {at_most} s at most");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(START_PAUSE_MAX);
            }
            ended => {
                if ended.is_ok() && pause > START_PAUSE {
                    tracing::info!(
                        "the database is ready after {:.1} s",
                        began.elapsed().as_secs_f64()
                    );
                }
                return ended;
            }
        }
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    error.downcast_ref::<fairclaim::Error>().is_some_and(fairclaim::Error::is_transient)
}

fn builder(args: &WorkArgs, exec: &Exec) -> WorkerBuilder {
    let mut builder = WorkerBuilder::default()
        .lease(args.lease)
        .grace(args.grace)
        // no job is given back while its command still runs
        .stop_within(ENDS_WITHIN)
        .log_causes(args.show_output != ShowOutput::None)
        .drain(args.drain);
    if let Some(idle) = args.sleep_after {
        builder = builder.sleep_after(idle);
    }
    if let Some(longest) = args.poll {
        builder = builder.poll_interval(longest);
    }
    if let Some(id) = &args.worker_id {
        builder = builder.worker_id(id);
    }
    for queue in &args.queues {
        builder = builder.queue(&queue.name, queue.concurrency);
    }
    for handler in &args.exec {
        let (exec, command) = (exec.clone(), Arc::clone(&handler.command));
        builder = builder.handler_for(&handler.job_type, move |job: RawJob, attempt: Attempt| {
            let (exec, command) = (exec.clone(), Arc::clone(&command));
            async move { exec.run(command, job.payload.get().to_owned(), &attempt).await }
        });
    }
    builder
}

fn queue(text: &str) -> Result<Queue, String> {
    // a queue's name may hold colons itself, so only a number after the last one is a concurrency
    let (name, concurrency) = match text.rsplit_once(':') {
        Some((name, count)) if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, count.parse().map_err(|_| "the number after the colon is missing or too large")?)
        }
        _ => (text, DEFAULT_CONCURRENCY),
    };
    if name.is_empty() || concurrency == 0 {
        return Err("write it like mail or mail:20".to_owned());
    }
    Ok(Queue { name: name.to_owned(), concurrency })
}

fn handler(text: &str) -> Result<Handler, String> {
    match text.split_once('=') {
        Some((job_type, command)) if !job_type.is_empty() && !command.trim().is_empty() => {
            Ok(Handler { job_type: job_type.to_owned(), command: command.into() })
        }
        _ => Err("write it like send_mail='./send-mail.sh --fast'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn settings_that_cannot_work_are_refused_before_it_connects() {
        let check = |flags: &[&str]| {
            let line = ["fairclaim", "work", "--exec", "mail=true"].iter().chain(flags);
            let Command::Work(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
            builder(&args, &Exec::default()).check()
        };
        assert_eq!(check(&[]), Ok(()));
        for (flags, part) in [
            (&["--queue", "Mail!"][..], "queue"),
            (&["--queue", "mail:3", "--queue", "mail:4"], "queue mail twice"),
            (&["--exec", "not a type=true"], "type"),
            (&["--exec", "mail=false"], "two handlers"),
            (&["--lease", "100ms"], "lease"),
            (&["--poll", "5m"], "poll_interval"),
            (&["--worker-id", ""], "worker_id"),
        ] {
            let error = check(flags).unwrap_err();
            assert!(error.to_string().contains(part), "{flags:?}: {error}");
        }
    }

    #[test]
    fn a_queue_may_carry_its_concurrency() {
        let check = |text: &str, name: &str, concurrency| {
            assert_eq!(queue(text), Ok(Queue { name: name.to_owned(), concurrency }));
        };
        check("mail", "mail", DEFAULT_CONCURRENCY);
        check("mail:3", "mail", 3);
        check("eu:mail", "eu:mail", DEFAULT_CONCURRENCY);
        check("eu:mail:7", "eu:mail", 7);
        for bad in ["", ":3", "mail:", "mail:0"] {
            assert!(queue(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_handler_is_a_type_and_a_command() {
        let parsed = handler("mail=FROM=me ./send.sh").unwrap();
        assert_eq!(
            parsed,
            Handler { job_type: "mail".to_owned(), command: "FROM=me ./send.sh".into() }
        );
        for bad in ["mail", "=x", "mail=", "mail=  "] {
            assert!(handler(bad).is_err(), "{bad:?} was taken");
        }
    }
}
