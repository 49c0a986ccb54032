//! The mode of a connection, direct or pooled, and how it is found out.

use std::{fmt, str::FromStr};

use deadpool_postgres::Pool;
use tokio_postgres::Client;

use super::Endpoint;
use crate::{
    error::{Error, Result},
    protocol::statements,
};

/// What stands between a client and the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionMode {
    /// The client finds out, by asking two connections which process serves them. Its mode is one
    /// of the others then.
    #[default]
    Auto,
    /// Each connection is a session of its own. Statements are prepared once on it, and workers
    /// listen for new jobs.
    Direct,
    /// A transaction pooler lends out sessions. Every statement travels whole, and workers poll.
    /// This works everywhere, but is a little slower than a direct connection where that is
    /// possible.
    Pooled,
}

impl fmt::Display for ConnectionMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Direct => "direct",
            Self::Pooled => "pooled",
        })
    }
}

impl FromStr for ConnectionMode {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        [Self::Auto, Self::Direct, Self::Pooled]
            .into_iter()
            .find(|mode| mode.to_string() == word)
            .ok_or_else(|| {
                Error::configuration(
                    "the connection is none of its modes",
                    "use auto, direct or pooled",
                )
            })
    }
}

/// Chooses the mode to work in: the one that was asked for, if it can work.
///
/// A pooler's session may answer with another client's prepared statement. So *direct* is never
/// taken on trust. *Pooled* works on every connection, so the server is not asked.
pub(crate) async fn choose(
    asked: ConnectionMode,
    pool: &Pool,
    endpoint: &Endpoint,
) -> Result<ConnectionMode> {
    if asked == ConnectionMode::Pooled {
        // so that a wrong URL shows here and not at the first job
        drop(super::from_pool(pool, Some(endpoint)).await?);
        return Ok(ConnectionMode::Pooled);
    }
    match (asked, keeps_sessions(pool, endpoint).await?) {
        (_, Some(true)) | (ConnectionMode::Direct, None) => Ok(ConnectionMode::Direct),
        (ConnectionMode::Direct, Some(false)) => Err(Error::configuration(
            "the connection is to be direct, but a transaction pooler lends out its sessions",
            "connect to the server's own port (Supabase: 5432 in place of 6543), or leave the \
             mode to be found out: \
             --connection auto, ConnectionMode::Auto",
        )),
        _ => Ok(ConnectionMode::Pooled),
    }
}

/// How often the two connections are asked. Behind a busy pooler five answers looked like separate
/// sessions in 3 of 100 tries, and each further answer more than halves that.
const QUESTIONS: usize = 16;

/// Finds out whether a connection is one session of the server, or leads through a pooler that
/// lends sessions per transaction.
///
/// Through a pooler, two connections that are idle in turn are lent the same session, or one
/// connection is lent several. So two are asked for their process in turn: a direct connection
/// never changes its process, and shares it with no other. It cannot be told where a second
/// connection is refused.
async fn keeps_sessions(pool: &Pool, endpoint: &Endpoint) -> Result<Option<bool>> {
    let first = super::from_pool(pool, Some(endpoint)).await?;
    let Ok((second, link)) = endpoint.open().await else {
        return Ok(None);
    };
    let reader = tokio::spawn(link);
    let own = process(&first).await?;
    let mut others = None;
    let mut kept = true;
    for question in 0..QUESTIONS {
        // the order own, other, other, own, own … also shows a pooler that lends in rotation
        if question % 4 == 0 || question % 4 == 3 {
            kept &= process(&first).await? == own;
        } else {
            let other = process(&second).await?;
            kept &= other != own && other == *others.get_or_insert(other);
        }
        if !kept {
            break;
        }
    }
    drop(second); // ends its reader too
    let _ = reader.await;
    Ok(Some(kept))
}

async fn process(client: &Client) -> Result<i32> {
    let rows = client.query_typed(statements::BACKEND_PID, &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::unavailable("the server does not say which process serves"))?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_as_it_is_written() {
        for mode in [ConnectionMode::Auto, ConnectionMode::Direct, ConnectionMode::Pooled] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "session".parse::<ConnectionMode>().unwrap_err();
        assert_eq!(error.hint(), Some("use auto, direct or pooled"));
    }
}
