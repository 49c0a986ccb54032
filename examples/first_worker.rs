//! Your first worker: one type of job, dispatched three times, run, and the process ends.
//!
//! ```sh
//! DATABASE_URL=postgres://me@localhost/app cargo run --example first_worker
//! ```

use fairclaim::{
    Attempt, Client, Dispatch, Job, JobError, MigrateOptions, Outcome, Tenant, Worker,
};
use serde::{Deserialize, Serialize};

/// A job is a serde type with a name. The name stands in the database, so keep it when you rename
/// the type.
#[derive(Serialize, Deserialize)]
struct WelcomeMail {
    user: i64,
}

impl Job for WelcomeMail {
    const TYPE: &'static str = "welcome_mail";
}

/// A handler is an async function of the job and its attempt.
async fn send(mail: WelcomeMail, attempt: Attempt) -> Result<Outcome, JobError> {
    println!("user {}: attempt {} of {}", mail.user, attempt.number(), attempt.max_attempts());
    Ok(Outcome::Complete)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(&std::env::var("DATABASE_URL")?).await?;

    // Installs the schema, and does nothing when it is there. `grant_self` gives this one login
    // every role, which is for trying things out; in production the application, its workers and
    // its operators are logins of their own.
    client.migrate(&MigrateOptions::default().grant_self(true)).await?;

    // Every job belongs to a tenant: a customer of yours. Tenants are served in turn.
    for (tenant, user) in [("acme", 7), ("acme", 8), ("bolt", 9)] {
        client.dispatch(Dispatch::new(Tenant::named(tenant)?, &WelcomeMail { user })?).await?;
    }

    // At most ten handlers run at once. `drain` ends the worker when nothing waits; leave it out in
    // a service, and the worker runs until its shutdown future is ready.
    let worker = Worker::builder(client).queue("default", 10).handler(send).drain(true).build()?;
    let report = worker.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
    println!("{} jobs completed", report.completed);
    Ok(())
}
