//! The worker's own connections. Each is opened when it is first used, and again after it was lost.
//!
//! Two of them a worker cannot do without: the first, for claims and settlements, and that of the heartbeat, which it holds before it
//! claims anything. Where the server has no room for more, calls of the others travel on the first one.
//!
//! They stand beside the client's pool, so that a pool that the handlers have emptied delays no settlement and no heartbeat.
//! From a pool that the application made they are taken out for good.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{ClientWrapper, Object, Timeouts};
use tokio::sync::Mutex as Turn;
use tokio_postgres::{Row, types::ToSql};

use super::{
    outage::{self, Outage},
    unanswered::Unanswered,
};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
    statements::{Statement, Via},
};

/// The connection that the others may share.
pub(crate) const FIRST: usize = 0;
/// After a connection was refused, how long its calls share another one before it is asked for again.
const SHARED_FOR: Duration = Duration::from_secs(30);

/// A fixed number of connections, known by their number.
pub(crate) struct Connections {
    client: Client,
    seats: Vec<Seat>,
    /// That of the heartbeat.
    heart: usize,
    /// A pooler between us and the server answers with other clients' prepared statements, so none are used.
    unprepared: AtomicBool,
    unanswered: Unanswered,
    /// Whether the database answers at all.
    pub(crate) outage: Outage,
}

#[derive(Default)]
struct Seat {
    current: Mutex<Option<Arc<ClientWrapper>>>,
    /// Whose turn it is to open it, and before when it is not to be tried.
    opening: Turn<Option<Instant>>,
}

impl Seat {
    /// The connection, if it is open.
    fn held(&self) -> Option<Arc<ClientWrapper>> {
        self.lock().as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientWrapper>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    pub(crate) fn new(client: Client, count: usize, heart: usize) -> Self {
        let seats = (0..count).map(|_| Seat::default()).collect();
        let unprepared = AtomicBool::new(!client.prepares());
        let unanswered = Unanswered::new(client.tls_to_cancel());
        Self { client, seats, heart, unprepared, unanswered, outage: Outage::default() }
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
        Ok(Line { connections: self, connection })
    }

    /// Whether one of the connections is open, as far as this machine knows.
    pub(crate) fn holds(&self, seat: usize) -> bool {
        self.seats[seat].held().is_some()
    }

    /// Whether those are open that the worker cannot do without.
    pub(crate) fn holds_what_it_needs(&self) -> bool {
        self.holds(self.heart) && self.holds(FIRST)
    }

    /// Closes all of them; each is opened again when it is used.
    pub(crate) fn close(&self) {
        for seat in &self.seats {
            *seat.lock() = None;
        }
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
        if let Some(connection) = self.seats[seat].held() {
            return Ok(connection);
        }
        let shares = seat != FIRST && seat != self.heart;
        // where there are few, the heartbeat's comes first and then that of the claims: without these two nothing runs
        if seat != self.heart && !self.holds(self.heart) {
            Box::pin(self.connection(self.heart)).await?;
        }
        if shares && !self.holds(FIRST) {
            Box::pin(self.connection(FIRST)).await?;
        }
        let mut not_before = self.seats[seat].opening.lock().await;
        if let Some(connection) = self.seats[seat].held() {
            return Ok(connection); // somebody else has opened it meanwhile
        }
        let first = || self.seats[FIRST].held().filter(|_| shares);
        if not_before.is_some_and(|at| at > Instant::now())
            && let Some(first) = first()
        {
            return Ok(first);
        }
        *not_before = None;
        let refused = match self.open(seat).await {
            Ok(connection) => {
                let opened = Arc::new(connection);
                *self.seats[seat].lock() = Some(Arc::clone(&opened));
                return Ok(opened);
            }
            Err(error) => error,
        };
        let Some(first) = first() else { return Err(refused) };
        *not_before = Some(Instant::now() + SHARED_FOR);
        tracing::warn!(error = %refused, hint = refused.hint(), "a further connection was refused: its calls share the first one");
        Ok(first)
    }

    async fn open(&self, seat: usize) -> Result<ClientWrapper> {
        if seat == self.heart
            && let Some(spare) = self.spare().await
        {
            return Ok(spare);
        }
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

    /// A connection of the client's pool that nobody uses: that of the look at the start, as a rule. So the heartbeat needs none more.
    async fn spare(&self) -> Option<ClientWrapper> {
        let pool = self.client.pool();
        if pool.status().available == 0 {
            return None;
        }
        let now = Some(Duration::ZERO);
        let taken = pool.timeout_get(&Timeouts { wait: now, create: now, recycle: None }).await;
        taken.ok().map(Object::take)
    }

    /// Learns from an error: a connection that did not answer is not used again, nor are prepared statements where they
    /// get lost.
    fn note(&self, connection: &Arc<ClientWrapper>, error: &Error) {
        match (error.kind(), error.sqlstate()) {
            (ErrorKind::Unavailable | ErrorKind::Driver, _) => {
                for seat in &self.seats {
                    let mut current = seat.lock();
                    if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection)) {
                        *current = None;
                    }
                }
            }
            // a prepared statement that does not exist, or that exists already, is another session's
            (_, Some("26000" | "42P05")) if !self.unprepared.swap(true, Relaxed) => {
                tracing::info!("a transaction pooler is in between: prepared statements are off");
            }
            _ => {}
        }
    }
}

/// An open connection, for one call.
pub(crate) struct Line<'a> {
    connections: &'a Connections,
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
        let Self { connections, connection } = self;
        let watch = connections.unanswered.watch(&connection);
        let call = async {
            let answer = connections.send(&connection, statement, parameters).await;
            watch.answered();
            answer
        };
        let answer = within(patience, call).await;
        match &answer {
            Err(error) if outage::is_away(error) => connections.note(&connection, error),
            Err(error) => {
                connections.outage.over(); // to refuse a call is an answer too
                connections.note(&connection, error);
            }
            Ok(_) => connections.outage.over(),
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
