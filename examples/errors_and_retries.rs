//! The ways an attempt may end: done with a result, tried again, put off, given up, cancelled.
//!
//! ```sh
//! DATABASE_URL=postgres://me@localhost/app cargo run --example errors_and_retries
//! ```

use std::time::Duration;

use fairclaim::{
    Attempt, Client, Dispatch, Job, JobError, MigrateOptions, Outcome, Tenant, Worker,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct Charge {
    card: String,
    amount: String,
}

impl Job for Charge {
    const TYPE: &'static str = "charge";
    /// What a dispatch may change for its own job.
    const MAX_ATTEMPTS: i32 = 5;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(20));
}

async fn charge(job: Charge, attempt: Attempt) -> Result<Outcome, JobError> {
    // Any error asks for another attempt, after 15 s, 30 s, 1 min … up to an hour.
    let amount: u32 = job.amount.parse()?;
    match job.card.as_str() {
        // No other attempt would help. The code is for operators to filter by.
        "stolen" => Err(JobError::fail("the card was reported stolen").code("stolen_card")),
        // You know better than the schedule when to try again.
        "busy" if attempt.number() == 1 => {
            Err(JobError::retry_after("the bank is busy", Duration::from_millis(100)))
        }
        // Not an error: ask again later. Uses no attempt up.
        "later" if attempt.number() == 1 => Ok(Outcome::Snooze(Duration::from_millis(100))),
        "closed" => Ok(Outcome::Cancel("the customer is gone".into())),
        _ => Ok(Outcome::CompleteWith(json!({ "charged": amount }))),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(&std::env::var("DATABASE_URL")?).await?;
    client.migrate(&MigrateOptions::default().grant_self(true)).await?;

    let mut jobs = Vec::new();
    for (card, amount) in [
        ("good", "12"),
        ("stolen", "12"),
        ("busy", "12"),
        ("later", "12"),
        ("closed", "12"),
        ("good", "12 €"),
    ] {
        let job = Charge { card: card.into(), amount: amount.into() };
        let id = client.dispatch(Dispatch::new(Tenant::named("acme")?, &job)?).await?;
        jobs.push((format!("{card}, {amount}"), id));
    }

    let worker = Worker::builder(client.clone()).queue("default", 10).handler(charge).build()?;
    let all_but_one_ended = async {
        while ended(&client, &jobs).await.is_ok_and(|ended| ended + 1 < jobs.len()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    worker.run(all_but_one_ended).await?;

    for (what, id) in &jobs {
        let Some(job) = client.job(*id).await? else { continue };
        let code = job.error.as_ref().and_then(|error| error["code"].as_str()).unwrap_or("-");
        println!("{what}: {} after {} attempts, code {code}", job.status, job.attempts);
    }
    Ok(())
}

/// How many of the jobs are completed, failed or cancelled; the one with the bad amount waits for
/// its next attempt.
async fn ended(client: &Client, jobs: &[(String, uuid::Uuid)]) -> Result<usize, fairclaim::Error> {
    let mut ended = 0;
    for (_, id) in jobs {
        ended += usize::from(client.job(*id).await?.is_some_and(|job| job.completed_at.is_some()));
    }
    Ok(ended)
}
