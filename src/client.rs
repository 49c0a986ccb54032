//! The client: a pool of connections to one database, and what an application does with it.
//!
//! Each file below is named after what a program does with the client. The answer of a call stands
//! beside the call.

pub(crate) mod bulk;
pub(crate) mod connect;
pub(crate) mod dispatch;
pub(crate) mod executor;
pub(crate) mod get_jobs;
pub(crate) mod keys;
pub(crate) mod operator;
pub(crate) mod queues;
pub(crate) mod quotas;
pub(crate) mod settings;
pub(crate) mod stats;
pub(crate) mod tenant_jobs;
pub(crate) mod tenant_names;
pub(crate) mod tenants;
pub(crate) mod via;
pub(crate) mod workers;

use std::{fmt, sync::Arc, time::SystemTime};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use uuid::Uuid;

use self::{
    connect::{ConnectOptions, ConnectionMode, Connector, Endpoint},
    dispatch::{Lines, LinesProgress},
    via::Via,
};

use crate::{
    error::{Error, Result},
    protocol::{
        dispatch::Dispatch,
        statements::{self, Statement, Value},
    },
};

/// The oldest schema that this build works with: the one that it installs.
pub(crate) const SCHEMA_NEEDED: i32 = 1;

/// A handle to the queue in one database. Clones share one pool of connections.
///
/// ```no_run
/// use fairclaim::{Client, Dispatch, Tenant};
/// use serde_json::json;
///
/// # async fn example() -> Result<(), fairclaim::Error> {
/// let client = Client::connect("postgres://app@localhost/app").await?;
/// let mail = json!({"to": "a@b.example"});
/// let id = client.dispatch(Dispatch::raw(Tenant::named("acme")?, "send_mail", mail)?).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    /// Where the pool connects to. It is unknown for a pool that the application made.
    endpoint: Option<Arc<Endpoint>>,
    /// How statements travel. On a direct connection each is prepared once, which saves about 0.1
    /// ms a call. On a pooled one they travel whole every time, since behind a transaction pooler a
    /// prepared statement may be another client's by the next call.
    mode: ConnectionMode,
}

impl Client {
    /// Connects to a `postgres://` URL (or libpq key-value text) with the default
    /// [`ConnectOptions`].
    ///
    /// `sslmode` may be `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`;
    /// the last two trust the machine's own roots, or the file that `sslrootcert` names.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL or its
    /// credentials are wrong, [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when no
    /// server answers.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, &ConnectOptions::default()).await
    }

    /// Connects as [`Client::connect`] does, with options.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with(url: &str, options: &ConnectOptions) -> Result<Self> {
        let endpoint = connect::endpoint(url, options)?;
        let pool = connect::pool(&endpoint, options)?;
        let mode =
            connect::patiently(connect::choose(options.mode, &pool, &endpoint), &endpoint).await?;
        Ok(Self { pool, endpoint: Some(Arc::new(endpoint)), mode })
    }

    /// Uses a pool that the application has already. Statements are not prepared, so it may lead
    /// through any pooler.
    ///
    /// Such a client cannot open the extra connection that `LISTEN` needs, so a worker on it finds
    /// new jobs by polling.
    pub fn from_pool(pool: Pool) -> Self {
        Self { pool, endpoint: None, mode: ConnectionMode::Pooled }
    }

    /// Says how this client works: direct or pooled, whatever was asked for.
    pub fn mode(&self) -> ConnectionMode {
        self.mode
    }

    /// Gives the pool of connections. Behind a transaction pooler keep nothing on them from one
    /// transaction to the next: no `SET`, no prepared statement, no temporary table.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Asks for the number of the newest migration that was applied.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when the schema is not
    /// installed.
    pub async fn schema_version(&self) -> Result<i32> {
        Ok(self.row(&statements::SCHEMA_VERSION, &[]).await?.try_get(0)?)
    }

    /// Refuses a database whose schema is older than this build needs. A newer schema serves as
    /// well, since functions keep their signatures.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch), which says what to run.
    pub async fn check_schema(&self) -> Result<()> {
        let (found, needed) = (self.schema_version().await?, SCHEMA_NEEDED);
        if found >= needed {
            return Ok(());
        }
        Err(Error::schema_mismatch(
            format!("the database has schema version {found}, this program needs {needed}"),
            "run `fairclaim migrate` against this database",
        ))
    }

    /// Dispatches one job in a transaction of its own. [`Dispatch::execute`] dispatches in yours.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded) or
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing); after
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) it is unknown whether the job was
    /// dispatched.
    pub async fn dispatch(&self, dispatch: Dispatch) -> Result<Uuid> {
        let connection = self.connection().await?;
        dispatch.send(&self.via(&connection)).await
    }

    /// Dispatches many jobs, all of them or none. The ids come in the order of the jobs.
    ///
    /// # Errors
    /// As [`Client::dispatch`]; [`Error::item`] is the index of the bad job.
    pub async fn dispatch_many(
        &self,
        jobs: impl IntoIterator<Item = Dispatch>,
    ) -> Result<Vec<Uuid>> {
        let jobs: Vec<Dispatch> = jobs.into_iter().collect();
        let mut connection = self.connection().await?;
        if dispatch::is_one_call(&jobs) {
            return dispatch::send_many(&self.via(&connection), &jobs).await;
        }
        let transaction = connection.transaction().await?;
        let ids = dispatch::send_many(&Via::whole(&*transaction), &jobs).await?;
        transaction.commit().await?;
        Ok(ids)
    }

    /// Dispatches a stretch of a source's lines if the source stands where the stretch begins, and
    /// moves the source on, in one transaction. So a stretch whose outcome is unknown can be sent
    /// again by any program: it is dispatched once. An empty stretch asks where the source stands.
    ///
    /// # Errors
    /// As [`Client::dispatch_many`]; the source does not move then. One call takes at most 10,000
    /// jobs and 64 MiB.
    pub async fn dispatch_lines(&self, lines: Lines<'_>) -> Result<LinesProgress> {
        let connection = self.connection().await?;
        dispatch::send_lines(&self.via(&connection), lines).await
    }

    /// Asks the clock of the database what time it is.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when it cannot be asked.
    pub async fn clock(&self) -> Result<SystemTime> {
        Ok(self.row(&statements::CLOCK, &[]).await?.try_get(0)?)
    }

    /// Takes a connection out of the pool.
    pub(crate) async fn connection(&self) -> Result<Object> {
        connect::from_pool(&self.pool, self.endpoint()).await
    }

    /// Says whether connections are sessions of their own, on which statements may be prepared.
    pub(crate) fn prepares(&self) -> bool {
        self.mode == ConnectionMode::Direct
    }

    /// Closes the idle connections of a pool that the library made; they are opened again when they
    /// are needed.
    pub(crate) fn close_idle(&self) {
        if self.endpoint.is_some() {
            self.pool.retain(|_, _| false);
        }
    }

    /// Says how statements travel on this connection.
    pub(crate) fn via<'a>(&'a self, connection: &'a Object) -> Via<'a, tokio_postgres::Client> {
        let via =
            if self.prepares() { Via::prepared(connection) } else { Via::whole(&***connection) };
        via.of_login(self.login())
    }

    /// Names the login of the connections. Behind a pooler it is unknown, since a pooler may have
    /// names of its own.
    pub(crate) fn login(&self) -> Option<&str> {
        self.endpoint().filter(|_| self.prepares())?.login()
    }

    /// Sends a statement on a connection of the pool.
    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        let connection = self.connection().await?;
        statement.rows_via(&self.via(&connection), parameters).await
    }

    /// Sends a statement that always answers one row on a connection of the pool.
    pub(crate) async fn row(&self, statement: &Statement, parameters: &[Value<'_>]) -> Result<Row> {
        let connection = self.connection().await?;
        statement.row_via(&self.via(&connection), parameters).await
    }

    /// Says where to open a connection beside the pool, if that is known.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }

    /// Says how to reach the server beside a connection, to cancel what runs on it. There is no way
    /// where a pooler is or may be in between: PgBouncer 1.18 ends itself at a request to cancel
    /// (`bad client state`), and with it all connections.
    pub(crate) fn tls_to_cancel(&self) -> Option<Connector> {
        self.endpoint().filter(|_| self.prepares()).map(Endpoint::tls)
    }

    /// Says where to open a connection for `LISTEN`, if that is known. Behind a pooler there is no
    /// such place: it would swallow the notifications.
    pub(crate) fn endpoint_to_listen(&self) -> Option<&Endpoint> {
        self.endpoint().filter(|_| self.prepares())
    }
}

impl fmt::Debug for Client {
    /// Leaves the endpoint out, since it holds a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("pool", &self.pool.status())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
