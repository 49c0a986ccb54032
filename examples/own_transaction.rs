//! Jobs and your own data in one transaction, on both ends: the job exists only if the order does,
//! and the invoice exists only if the job is completed.
//!
//! ```sh
//! DATABASE_URL=postgres://me@localhost/app cargo run --example own_transaction
//! ```

use fairclaim::{
    Attempt, Client, Dispatch, Job, JobError, MigrateOptions, Outcome, State, Tenant, Worker,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct SendInvoice {
    order: i64,
}

impl Job for SendInvoice {
    const TYPE: &'static str = "send_invoice";
}

/// Writes the order and dispatches its job. Whether both exist is decided by the commit, and by
/// nothing else.
async fn place_order(
    client: &Client,
    order: i64,
    commit: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = client.pool().get().await?;
    let transaction = connection.transaction().await?;
    transaction.execute("insert into orders (id) values ($1)", &[&order]).await?;
    Dispatch::new(Tenant::named("acme")?, &SendInvoice { order })?.execute(&transaction).await?;
    if commit {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?; // an error of yours, a crash, a lost connection: all the same
    }
    Ok(())
}

/// Does its work and settles its job in one transaction: if the worker dies in the middle, neither
/// happened, and the next attempt does both. Only what leaves the database (a mail, a payment) can
/// happen twice.
async fn invoice(
    job: SendInvoice,
    attempt: Attempt,
    State(client): State<Client>,
) -> Result<Outcome, JobError> {
    let mut connection = client.pool().get().await?;
    let mut transaction = connection.build_transaction().start().await?;
    transaction.execute("insert into invoices (order_id) values ($1)", &[&job.order]).await?;
    let outcome = attempt.complete_in(&mut transaction, None).await?;
    transaction.commit().await?;
    Ok(outcome)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(&std::env::var("DATABASE_URL")?).await?;
    client.migrate(&MigrateOptions::default().grant_self(true)).await?;
    let connection = client.pool().get().await?;
    let tables = "create table if not exists orders (id bigint primary key);
                  create table if not exists invoices (order_id bigint primary key)";
    connection.batch_execute(tables).await?;

    place_order(&client, 1, true).await?;
    place_order(&client, 2, false).await?;
    let worker = Worker::builder(client.clone())
        .queue("default", 10)
        .state(client)
        .handler(invoice)
        .drain(true)
        .build()?;
    worker.run(std::future::pending()).await?;

    let count = async |table: &str| -> Result<i64, Box<dyn std::error::Error>> {
        Ok(connection.query_one(&format!("select count(*) from {table}"), &[]).await?.get(0))
    };
    println!("{} order, {} invoice", count("orders").await?, count("invoices").await?);
    Ok(())
}
