//! What handlers share, how a running job is cancelled, and how a worker ends without losing
//! anything.
//!
//! ```sh
//! DATABASE_URL=postgres://me@localhost/app cargo run --example state_and_shutdown
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fairclaim::{
    Attempt, Client, Dispatch, Job, JobError, MigrateOptions, Outcome, State, Tenant, Worker,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// What your handlers need: a pool, an HTTP client, settings. It is cloned for every attempt, so
/// keep it cheap to clone.
#[derive(Clone, Default)]
struct App {
    reports: Arc<AtomicU32>,
    started: Arc<Notify>,
}

#[derive(Serialize, Deserialize)]
struct Report {
    pages: u32,
}

impl Job for Report {
    const TYPE: &'static str = "report";
}

async fn report(
    job: Report,
    attempt: Attempt,
    State(app): State<App>,
) -> Result<Outcome, JobError> {
    let stop = attempt.cancellation();
    app.started.notify_one();
    for page in 0..job.pages {
        // Stop at a place of your choice. Told to stop are jobs that an operator cancels, whose
        // lease is lost, and those that still run when a shutdown has waited for its grace period.
        if stop.is_cancelled() {
            println!("told to stop");
            return Ok(Outcome::Release); // no attempt is used up; a cancelled job ends as cancelled
        }
        write_page(page).await;
    }
    app.reports.fetch_add(1, Ordering::Relaxed);
    Ok(Outcome::Complete)
}

async fn write_page(_page: u32) {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// What happens while the worker runs: a long report is cancelled, and a short one has begun at the
/// end.
async fn story(client: &Client, app: &App) -> Result<(), fairclaim::Error> {
    let acme = Tenant::named("acme")?;
    let endless = Dispatch::new(acme.clone(), &Report { pages: u32::MAX })?;
    let endless = client.dispatch(endless).await?;
    app.started.notified().await;
    client.cancel(Some(acme.clone()), &[endless]).await?;
    let status = loop {
        match client.job(endless).await? {
            Some(job) if job.status.is_final() => break job.status,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    println!("the endless report: {status}");

    client.dispatch(Dispatch::new(acme, &Report { pages: 20 })?).await?;
    app.started.notified().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(&std::env::var("DATABASE_URL")?).await?;
    client.migrate(&MigrateOptions::default().grant_self(true)).await?;

    let app = App::default();
    let worker = Worker::builder(client.clone())
        .queue("default", 10)
        .state(app.clone())
        .handler(report)
        .grace(Duration::from_secs(10)) // how long a shutdown waits for what runs
        .build()?;

    // The worker runs until this future is ready: in a service a signal, here the end of the story.
    // The short report runs at that moment, and the worker waits for it.
    let shutdown = async {
        if let Err(error) = story(&client, &app).await {
            eprintln!("{error}");
        }
    };
    worker.run(shutdown).await?;
    println!("reports written: {}", app.reports.load(Ordering::Relaxed));
    Ok(())
}
