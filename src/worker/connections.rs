//! The worker's own connections. Each is opened when it is first used, and again after it was lost.
//!
//! They stand beside the client's pool, so that a pool that the handlers have emptied delays no settlement and no heartbeat.
//! From a pool that the application made they are taken out for good.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_postgres::{ClientWrapper, Object};
use tokio::sync::Mutex;
use tokio_postgres::{Row, types::ToSql};

use super::unanswered::Unanswered;
use crate::{
    client::Client,
    error::{Error, Result},
    statements::{Statement, Via},
};

/// A fixed number of connections, known by their number.
pub(crate) struct Connections {
    client: Client,
    seats: Vec<Mutex<Option<Arc<ClientWrapper>>>>,
    /// A pooler between us and the server answers with other clients' prepared statements, so none are used.
    unprepared: AtomicBool,
    unanswered: Unanswered,
}

impl Connections {
    pub(crate) fn new(client: Client, count: usize) -> Self {
        let seats = (0..count).map(|_| Mutex::new(None)).collect();
        let unprepared = AtomicBool::new(!client.prepares());
        let unanswered = Unanswered::new(client.tls_to_cancel());
        Self { client, seats, unprepared, unanswered }
    }

    /// Sends a statement on one of the connections and reads all rows. Calls of several tasks on one connection are
    /// pipelined. A call that takes longer than `patience` counts as lost: its connection is given up, and the server is told
    /// to. The latter also when this future is dropped.
    pub(crate) async fn rows(
        &self,
        seat: usize,
        patience: Duration,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.line(seat, patience).await?.rows(patience, statement, parameters).await
    }

    /// One of the connections, opened if need be. An error says that nothing was sent.
    pub(crate) async fn line(&self, seat: usize, patience: Duration) -> Result<Line<'_>> {
        let connection = within(patience, Box::pin(self.connection(seat))).await?;
        Ok(Line { connections: self, seat, connection })
    }

    /// Waits for the end of calls that were left without an answer: the server has given them up, or cannot be told.
    pub(crate) async fn given_up(&self) {
        self.unanswered.given_up().await;
    }

    async fn send(
        &self,
        connection: &ClientWrapper,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let via = if self.unprepared.load(Relaxed) {
            Via::whole(&**connection)
        } else {
            Via::prepared(connection)
        };
        statement.rows_via(&via, parameters).await
    }

    async fn connection(&self, seat: usize) -> Result<Arc<ClientWrapper>> {
        let mut current = self.seats[seat].lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let opened = Arc::new(self.open().await?);
        *current = Some(Arc::clone(&opened));
        Ok(opened)
    }

    async fn open(&self) -> Result<ClientWrapper> {
        let Some(endpoint) = self.client.endpoint() else {
            return Ok(Object::take(self.client.connection().await?));
        };
        let (client, connection) = endpoint.open().await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %Error::from(error), "a connection ended");
            }
        });
        Ok(ClientWrapper::new(client, task))
    }

    /// Learns from an error: a connection that did not answer is not used again, nor are prepared statements where they
    /// get lost.
    async fn note(&self, seat: usize, connection: &Arc<ClientWrapper>, error: &Error) {
        match error {
            Error::Unavailable { .. } => {
                let mut current = self.seats[seat].lock().await;
                if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection)) {
                    *current = None;
                }
            }
            // a prepared statement that does not exist, or that exists already, is another session's
            Error::Database { sqlstate, .. }
                if matches!(sqlstate.as_str(), "26000" | "42P05")
                    && !self.unprepared.swap(true, Relaxed) =>
            {
                tracing::info!("a transaction pooler is in between: prepared statements are off");
            }
            _ => {}
        }
    }
}

/// An open connection, for one call.
pub(crate) struct Line<'a> {
    connections: &'a Connections,
    seat: usize,
    connection: Arc<ClientWrapper>,
}

impl Line<'_> {
    /// As [`Connections::rows`].
    pub(crate) async fn rows(
        self,
        patience: Duration,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let Self { connections, seat, connection } = self;
        let watch = connections.unanswered.watch(&connection);
        let call = async {
            let answer = connections.send(&connection, statement, parameters).await;
            watch.answered();
            answer
        };
        let answer = within(patience, call).await;
        if let Err(error) = &answer {
            connections.note(seat, &connection, error).await;
        }
        answer
    }
}

async fn within<T>(patience: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(patience, call).await.unwrap_or_else(|_| {
        Err(Error::unavailable(format!("no answer within {} s", patience.as_secs_f32())))
    })
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connections")
            .field("seats", &self.seats.len())
            .finish_non_exhaustive()
    }
}
