//! From flags to a connected client.

use fairclaim::Client;

use crate::error::Hinted;
use crate::global::Global;

/// Connects to the database that the command line or the environment names.
pub(crate) async fn client(global: &Global) -> anyhow::Result<Client> {
    Ok(Client::connect_with(url(global)?, &global.connect_options()).await?)
}

fn url(global: &Global) -> anyhow::Result<&str> {
    match global.database_url.as_deref() {
        Some(url) if !url.trim().is_empty() => Ok(url),
        _ => Err(Hinted::usage(
            "no database is given",
            "set DATABASE_URL or pass --database-url postgres://user@host/database; \
             to look around without one: fairclaim demo --keep",
        )
        .into()),
    }
}
