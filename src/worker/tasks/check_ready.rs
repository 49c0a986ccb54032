//! Checks what a worker needs before it starts, so that what will never work is an error at once
//! and not a line of its log for ever.

use std::time::Instant;

use crate::{
    client::Client,
    error::{Error, READ_ONLY, Result},
    protocol::statements,
    worker::{backoff::Backoff, context::Context},
};

/// Waits until the database answers, its schema fits, and the login may work with it.
pub(crate) async fn until_ready(context: &Context) -> Result<()> {
    let (mut backoff, mut logged) = (Backoff::database(), None);
    loop {
        let sent_at = Instant::now();
        match check(&context.client).await {
            Ok(()) => {
                context.connections.outage.over(sent_at);
                return Ok(());
            }
            // a standby may be promoted; but a person or a script waits for the end of a drain
            Err(error)
                if error.is_transient() && !(context.settings.drain && is_standby(&error)) =>
            {
                if !context.connections.outage.takes(&error) && logged.as_ref() != Some(&error) {
                    tracing::warn!(
                        %error,
                        hint = error.hint(),
                        "the database is not ready yet: trying until it is"
                    );
                    logged = Some(error);
                }
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn check(client: &Client) -> Result<()> {
    client.check_schema().await.map_err(|error| error.wanting(ROLE, client.login()))?;
    let row = client.row(&statements::MAY_WORK, &[]).await?;
    if !row.try_get::<_, bool>("complete")? {
        return Err(Error::schema_mismatch(
            "it lacks functions that this worker calls",
            "run `fairclaim migrate` of the same version as this program",
        ));
    }
    if !row.try_get::<_, bool>("may_work")? {
        let message = "this login may not execute the functions that claim and settle jobs";
        return Err(Error::privilege_missing(message).wanting(ROLE, client.login()));
    }
    let isolation: String = row.try_get("isolation")?;
    if isolation != "read committed" {
        return Err(Error::configuration(
            format!(
                "transactions of this connection are {isolation}, and claims need read committed"
            ),
            "as an administrator: alter role … set default_transaction_isolation = 'read \
             committed'; or take the setting out of the connection URL",
        ));
    }
    if row.try_get::<_, bool>("is_standby")? {
        return Err(Error::database(
            READ_ONLY,
            "this server is a standby, where no job can be claimed",
        ));
    }
    if row.try_get::<_, String>("read_only")? == "on" {
        return Err(Error::configuration(
            "transactions of this connection are read-only, and claims write",
            "as an administrator: alter role … reset default_transaction_read_only, or alter \
             database … reset default_transaction_read_only; or take the setting out of the \
             connection URL",
        ));
    }
    Ok(())
}

/// The role whose logins may claim and settle.
const ROLE: &str = "fairclaim_worker";

fn is_standby(error: &Error) -> bool {
    error.sqlstate() == Some(READ_ONLY)
}
