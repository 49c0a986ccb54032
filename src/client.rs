//! The way in: a pool of connections and what an application or an operator does with it.

use std::{fmt, sync::Arc, time::SystemTime};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use uuid::Uuid;

#[cfg(feature = "migrate")]
use crate::schema::{self, MigrateOptions, MigrateReport};
use crate::{
    connect::{self, ConnectOptions, ConnectionMode, Connector, Endpoint},
    dispatch::{self, Dispatch, Lines, LinesProgress},
    error::{Error, Result},
    statements::{self, Statement, Value, Via},
};

/// The oldest schema that this build works with: the one that it installs.
const SCHEMA_NEEDED: i32 = 1;

/// A handle to the queue in one database. Clones share one pool of connections.
///
/// ```no_run
/// use fairclaim::{Client, Dispatch, Tenant};
/// use serde_json::json;
///
/// # async fn example() -> Result<(), fairclaim::Error> {
/// let client = Client::connect("postgres://app@localhost/app").await?;
/// let id = client.dispatch(Dispatch::raw(Tenant::named("acme")?, "send_mail", json!({"to": "a@b.example"}))?).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    /// Where the pool connects to; unknown for a pool that the application made.
    endpoint: Option<Arc<Endpoint>>,
    /// Direct: statements are prepared once per connection (about 0.1 ms less a call). Pooled: they travel whole every time,
    /// since behind a transaction pooler a prepared statement may be another client's by the next call.
    mode: ConnectionMode,
}

impl Client {
    /// Connects to a `postgres://` URL (or libpq key-value text) with the default [`ConnectOptions`].
    ///
    /// `sslmode` may be `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`; the last two trust the
    /// machine's own roots, or the file that `sslrootcert` names.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL or its
    /// credentials are wrong, [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when nobody
    /// answers.
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

    /// Uses a pool that the application has already. Statements are not prepared, so it may lead through any pooler.
    ///
    /// Such a client cannot open the extra connection that `LISTEN` needs, so a worker on it finds new jobs by polling.
    pub fn from_pool(pool: Pool) -> Self {
        Self { pool, endpoint: None, mode: ConnectionMode::Pooled }
    }

    /// How this client works: direct or pooled, whatever was asked for.
    pub fn mode(&self) -> ConnectionMode {
        self.mode
    }

    /// The pool of connections. Behind a transaction pooler keep nothing on them from one transaction to the next: no `SET`,
    /// no prepared statement, no temporary table.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Installs or updates the schema `fairclaim`. May be run at any time, any number of times, by several at once.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when the database is newer
    /// than this build, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) when
    /// the login may not install.
    #[cfg(feature = "migrate")]
    pub async fn migrate(&self, options: &MigrateOptions) -> Result<MigrateReport> {
        schema::migrate(&self.pool, options).await
    }

    /// The number of the newest migration applied.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when the schema is not
    /// installed.
    pub async fn schema_version(&self) -> Result<i32> {
        Ok(self.row(&statements::SCHEMA_VERSION, &[]).await?.try_get(0)?)
    }

    /// Refuses a database whose schema is older than this build needs. A newer one serves: functions keep their signatures.
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

    /// Dispatches one job in a transaction of its own. [`Dispatch::execute`] does it in yours.
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

    /// Dispatches many jobs, all or none; their ids come in the order of the jobs.
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

    /// Dispatches a stretch of a source's lines if the source stands where the stretch begins, and moves the source on, in one
    /// transaction. So a stretch whose outcome is unknown can be sent again, by whomever: it is dispatched once. An empty
    /// stretch asks where the source stands.
    ///
    /// # Errors
    /// As [`Client::dispatch_many`]; the source does not move then. One call takes 10,000 jobs and 64 MiB at most.
    pub async fn dispatch_lines(&self, lines: Lines<'_>) -> Result<LinesProgress> {
        let connection = self.connection().await?;
        dispatch::send_lines(&self.via(&connection), lines).await
    }

    /// What time it is, by the clock of the database.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when it cannot be asked.
    pub async fn clock(&self) -> Result<SystemTime> {
        Ok(self.row(&statements::CLOCK, &[]).await?.try_get(0)?)
    }

    /// A connection of the pool.
    pub(crate) async fn connection(&self) -> Result<Object> {
        connect::from_pool(&self.pool, self.endpoint()).await
    }

    /// Whether connections are sessions of their own, on which statements may be prepared.
    pub(crate) fn prepares(&self) -> bool {
        self.mode == ConnectionMode::Direct
    }

    /// Closes the connections of a pool of our own that nobody uses; they are opened again when somebody does.
    pub(crate) fn close_idle(&self) {
        if self.endpoint.is_some() {
            self.pool.retain(|_, _| false);
        }
    }

    /// How statements travel on this connection.
    pub(crate) fn via<'a>(&'a self, connection: &'a Object) -> Via<'a, tokio_postgres::Client> {
        let via =
            if self.prepares() { Via::prepared(connection) } else { Via::whole(&***connection) };
        via.of_login(self.login())
    }

    /// Who is connected. None behind a pooler, which may have names of its own.
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

    /// Where to open a connection beside the pool. None where that is unknown.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }

    /// How to reach the server beside a connection, to cancel what runs on it. None where a pooler is or may be in between:
    /// PgBouncer 1.18 ends itself at a request to cancel (`bad client state`), and everybody's connections with it.
    pub(crate) fn tls_to_cancel(&self) -> Option<Connector> {
        self.endpoint().filter(|_| self.prepares()).map(Endpoint::tls)
    }

    /// Where to open a connection for `LISTEN`. None where that is unknown, and behind a pooler, which would swallow the
    /// notifications.
    pub(crate) fn endpoint_to_listen(&self) -> Option<&Endpoint> {
        self.endpoint().filter(|_| self.prepares())
    }
}

impl fmt::Debug for Client {
    /// Without the endpoint: it holds a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("pool", &self.pool.status())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "migrate"))]
mod tests {
    #[test]
    fn the_schema_that_is_needed_is_the_one_that_is_installed() {
        assert_eq!(super::SCHEMA_NEEDED, crate::schema::version());
    }
}
