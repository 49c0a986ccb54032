//! The worker's own connections. Each is opened when it is first used, and again after it was lost.
//!
//! Each has a seat, which is its number among them. A worker cannot do without two of them: the
//! first, for claims and settlements, and that of the heartbeat, which it holds before it claims
//! anything. Where the server has no room for more, the calls of the others travel on the first
//! one.
//!
//! They stand beside the client's pool, so that a pool that the handlers have emptied delays no
//! settlement and no heartbeat. From a pool that the application made they are taken out for good.

mod cancel_calls;

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{ClientWrapper, Object, Timeouts};
use tokio::sync::Mutex as AsyncMutex;
use tokio_postgres::{Row, types::ToSql};

use crate::{
    client::{Client, via::Via},
    error::{Error, ErrorKind, Result},
    protocol::statements::Statement,
    worker::{
        connections::cancel_calls::CancelCalls,
        log::outage::{self, Outage},
    },
};

/// The seat of the connection that the others may share.
pub(crate) const FIRST: usize = 0;
/// How long the calls of a connection that was refused share another one, before it is asked for
/// again.
const SHARED_FOR: Duration = Duration::from_secs(30);

/// A fixed number of connections, each known by its seat.
pub(crate) struct Connections {
    client: Client,
    seats: Vec<Seat>,
    /// The seat of the heartbeat.
    heartbeat: usize,
    /// Whether no prepared statements are used, since a pooler between the worker and the server
    /// answers with those of other clients.
    unprepared: AtomicBool,
    cancel_calls: CancelCalls,
    /// Whether the database answers at all.
    pub(crate) outage: Outage,
}

/// The place of one connection.
#[derive(Default)]
struct Seat {
    current: Mutex<Option<Arc<ClientWrapper>>>,
    /// Whose turn it is to open it, and before when it is not to be tried.
    opening: AsyncMutex<Option<Instant>>,
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
    pub(crate) fn new(client: Client, count: usize, heartbeat: usize) -> Self {
        let seats = (0..count).map(|_| Seat::default()).collect();
        let unprepared = AtomicBool::new(!client.prepares());
        let cancel_calls = CancelCalls::new(client.tls_to_cancel());
        Self { client, seats, heartbeat, unprepared, cancel_calls, outage: Outage::default() }
    }

    /// Sends a statement on one of the connections and reads all rows. Calls of several tasks on
    /// one connection are pipelined. A call that takes longer than `patience` counts as lost: its
    /// connection is given up, and the server is asked to cancel it, which it also is when this
    /// future is dropped.
    pub(crate) async fn rows(
        &self,
        seat: usize,
        patience: Duration,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.connection(seat, patience).await?.rows(patience, statement, parameters).await
    }

    /// Takes one of the connections, and opens it if need be. An error says that nothing was sent.
    pub(crate) async fn connection(
        &self,
        seat: usize,
        patience: Duration,
    ) -> Result<Connection<'_>> {
        let connection = within(patience, Box::pin(self.open_or_share(seat))).await?;
        Ok(Connection { connections: self, connection })
    }

    /// Whether one of the connections is open, as far as this machine knows.
    pub(crate) fn holds(&self, seat: usize) -> bool {
        self.seats[seat].held().is_some()
    }

    /// Whether the connections are open that the worker cannot do without.
    pub(crate) fn holds_what_it_needs(&self) -> bool {
        self.holds(self.heartbeat) && self.holds(FIRST)
    }

    /// Closes all of them; each is opened again when it is used.
    pub(crate) fn close(&self) {
        for seat in &self.seats {
            *seat.lock() = None;
        }
    }

    /// Waits for the end of calls that were left without an answer: the server has given them up,
    /// or cannot be asked.
    pub(crate) async fn given_up(&self) {
        self.cancel_calls.given_up().await;
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

    async fn open_or_share(&self, seat: usize) -> Result<Arc<ClientWrapper>> {
        if let Some(connection) = self.seats[seat].held() {
            return Ok(connection);
        }
        let shares = seat != FIRST && seat != self.heartbeat;
        // where there are few, the heartbeat's comes first and then that of the claims: without
        // these two nothing runs
        if seat != self.heartbeat && !self.holds(self.heartbeat) {
            Box::pin(self.open_or_share(self.heartbeat)).await?;
        }
        if shares && !self.holds(FIRST) {
            Box::pin(self.open_or_share(FIRST)).await?;
        }
        let mut not_before = self.seats[seat].opening.lock().await;
        if let Some(connection) = self.seats[seat].held() {
            return Ok(connection); // another task has opened it meanwhile
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
        tracing::warn!(
            error = %refused,
            hint = refused.hint(),
            "a further connection was refused: its calls share the first one"
        );
        Ok(first)
    }

    async fn open(&self, seat: usize) -> Result<ClientWrapper> {
        if seat == self.heartbeat
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

    /// Takes a connection of the client's pool that no task uses, as a rule that of the check at
    /// the start. So the heartbeat needs no further one.
    async fn spare(&self) -> Option<ClientWrapper> {
        let pool = self.client.pool();
        if pool.status().available == 0 {
            return None;
        }
        let now = Some(Duration::ZERO);
        let taken = pool.timeout_get(&Timeouts { wait: now, create: now, recycle: None }).await;
        taken.ok().map(Object::take)
    }

    /// Learns from an error: a connection that did not answer is not used again, nor are prepared
    /// statements where they get lost.
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
            // a prepared statement that does not exist, or that exists already, is another
            // session's
            (_, Some("26000" | "42P05")) if !self.unprepared.swap(true, Relaxed) => {
                tracing::info!("a transaction pooler is in between: prepared statements are off");
            }
            _ => {}
        }
    }
}

/// An open connection, for one call.
pub(crate) struct Connection<'a> {
    connections: &'a Connections,
    connection: Arc<ClientWrapper>,
}

impl Connection<'_> {
    /// Sends a statement and reads all rows, as [`Connections::rows`] does.
    pub(crate) async fn rows(
        self,
        patience: Duration,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let Self { connections, connection } = self;
        let sent_at = Instant::now();
        let sent = connections.cancel_calls.sent(&connection);
        let call = async {
            let answer = connections.send(&connection, statement, parameters).await;
            sent.answered();
            answer
        };
        let answer = within(patience, call).await;
        match &answer {
            Err(error) if outage::is_away(error) => connections.note(&connection, error),
            Err(error) => {
                connections.outage.over(sent_at); // to refuse a call is an answer too
                connections.note(&connection, error);
            }
            Ok(_) => connections.outage.over(sent_at),
        }
        answer
    }
}

/// Whether the server may have done what was sent: the connection broke. Any other error it
/// answered with, and that is the end of the transaction.
pub(crate) fn may_have_happened(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Configuration | ErrorKind::Driver)
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
