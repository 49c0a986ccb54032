//! Connects: it reads a URL as users of libpq expect it to be read, and makes a pool of
//! connections.

mod mode;
#[cfg(not(feature = "tls"))]
mod plain;
#[cfg(feature = "tls")]
mod tls;
mod url;

use std::{path::Path, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::{Client, Config, Connection, Socket, config::Host, tls::MakeTlsConnect};

pub use self::mode::ConnectionMode;
pub(crate) use self::mode::choose;
#[cfg(not(feature = "tls"))]
use self::plain as tls;
pub(crate) use self::tls::Connector;
use crate::error::{Error, Result};

/// A connection's other half, which its owner must poll. It does the reading and writing, and
/// yields notifications.
pub(crate) type Link = Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

/// How a client connects, as far as the URL does not say it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How many connections the pool may hold. It defaults to 10.
    pub pool_size: usize,
    /// The name that `pg_stat_activity` shows. Never put a tenant in it. It defaults to
    /// `fairclaim`.
    pub application_name: String,
    /// How long one attempt to connect may take. It defaults to 10 s.
    pub connect_timeout: Duration,
    /// How long a call waits for a free connection of the pool. It defaults to 30 s.
    pub wait_timeout: Duration,
    /// Whether each connection is a session of its own. By default the client finds out.
    pub mode: ConnectionMode,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            pool_size: 10,
            application_name: "fairclaim".into(),
            connect_timeout: Duration::from_secs(10),
            wait_timeout: Duration::from_secs(30),
            mode: ConnectionMode::Auto,
        }
    }
}

impl ConnectOptions {
    /// Sets how many connections the pool may hold.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// Sets whether connections are direct or pooled, instead of finding out.
    #[must_use]
    pub fn mode(mut self, mode: ConnectionMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the name that `pg_stat_activity` shows.
    #[must_use]
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }
}

/// A database and the way to it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    config: Config,
    tls: Connector,
}

impl Endpoint {
    /// Opens a connection beside the pool. It does nothing until the caller polls the second half.
    pub(crate) async fn open(&self) -> Result<(Client, Link)> {
        self.config.connect(self.tls.clone()).await.map_err(|error| self.name(error.into()))
    }

    /// Names the login of the connections.
    pub(crate) fn login(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// Adds where the connection was tried to an error, if none could be opened.
    fn name(&self, error: Error) -> Error {
        if !error.is_unavailable() || error.was_sent() {
            return error;
        }
        let message = format!("{} ({})", error.message(), self.address());
        error.with_message(message)
    }

    /// Writes the hosts and ports, as people write them.
    fn address(&self) -> String {
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let addresses = self.config.get_hostaddrs();
        let address = |at: usize| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match (hosts.get(at), addresses.get(at)) {
                (Some(Host::Tcp(name)), _) if name.contains(':') => format!("[{name}]:{port}"),
                (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
                (Some(Host::Unix(folder)), _) => {
                    format!("{}", folder.join(format!(".s.PGSQL.{port}")).display())
                }
                (None, Some(address)) => std::net::SocketAddr::new(*address, port).to_string(),
                (None, None) => format!("port {port}"),
            }
        };
        let written = (0..hosts.len().max(addresses.len())).map(address);
        written.collect::<Vec<_>>().join(", ")
    }

    /// Gives the connector of TLS, which knows what certificates to trust.
    pub(crate) fn tls(&self) -> Connector {
        self.tls.clone()
    }
}

/// Takes a connection out of the pool. An error says where it was tried, as far as that is known.
pub(crate) async fn from_pool(pool: &Pool, endpoint: Option<&Endpoint>) -> Result<Object> {
    pool.get().await.map_err(|error| match endpoint {
        Some(endpoint) => endpoint.name(error.into()),
        None => error.into(),
    })
}

/// How long the log is silent about a connection that is not there yet.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Waits for a connection, and writes to the log what it waits for if that takes long.
pub(crate) async fn patiently<T>(connecting: impl Future<Output = T>, endpoint: &Endpoint) -> T {
    let mut connecting = std::pin::pin!(connecting);
    if let Ok(done) = tokio::time::timeout(SILENCE_MAX, &mut connecting).await {
        return done;
    }
    tracing::warn!("still waiting for PostgreSQL to answer at {}", endpoint.address());
    connecting.await
}

/// Reads a URL (or libpq key-value text) and completes it with defaults.
pub(crate) fn endpoint(text: &str, options: &ConnectOptions) -> Result<Endpoint> {
    let url::Target { mut config, tls } = url::parse(text)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        default_host(&mut config);
    }
    if config.get_application_name().is_none() {
        config.application_name(&options.application_name);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(options.connect_timeout);
    }
    // the system's default of two hours would leave a worker waiting on a connection that a
    // firewall has forgotten
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(Duration::from_secs(30));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(60));
    }
    let all_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    if all_local && config.get_hostaddrs().is_empty() {
        // like libpq, no TLS over a unix socket
        config.ssl_mode(tokio_postgres::config::SslMode::Disable);
    } else {
        config.ssl_mode(tls.mode.driver());
    }
    Ok(Endpoint { tls: tls::connector(&tls)?, config })
}

/// Chooses the host as libpq does: the usual folder of the server's socket, or else the loopback.
fn default_host(config: &mut Config) {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let folder = ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
    config.host(folder.unwrap_or("localhost"));
}

/// Makes a pool of connections to this endpoint, and opens none yet.
pub(crate) fn pool(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Pool> {
    if options.pool_size == 0 {
        return Err(Error::configuration("a pool of no connections", "set pool_size to 1 or more"));
    }
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(endpoint.config.clone(), endpoint.tls.clone(), recycling);
    Pool::builder(manager)
        .max_size(options.pool_size)
        .wait_timeout(Some(options.wait_timeout))
        // the driver's own time-out ends with the TCP handshake, and this one covers TLS and
        // authentication too
        .create_timeout(Some(options.connect_timeout * 2))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| {
            Error::configuration(error.to_string(), "report this: the pool's settings are fixed")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        endpoint(text, &ConnectOptions::default()).unwrap().config
    }

    #[test]
    fn defaults_complete_the_url() {
        let config = config("postgres://app@db.example/app?sslmode=disable");
        assert_eq!(config.get_application_name(), Some("fairclaim"));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(30));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(10)));
    }

    #[test]
    fn the_url_wins_over_the_options() {
        let config = config(
            "postgres://app@db.example/app?application_name=mine&connect_timeout=3&keepalives_idle=9",
        );
        assert_eq!(config.get_application_name(), Some("mine"));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    }

    #[test]
    fn a_unix_socket_needs_no_tls() {
        let config = config("postgres:///app?host=/run/x&user=app&sslmode=require");
        assert_eq!(config.get_ssl_mode(), tokio_postgres::config::SslMode::Disable);
    }

    #[test]
    fn a_url_without_a_host_means_this_machine() {
        assert_eq!(config("postgres:///app").get_hosts().len(), 1);
    }

    #[test]
    fn an_empty_pool_is_refused() {
        let endpoint = endpoint("postgres://a@b/c", &ConnectOptions::default()).unwrap();
        assert!(pool(&endpoint, &ConnectOptions::default().pool_size(0)).is_err());
    }
}
