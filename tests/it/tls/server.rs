//! A server on the loopback, with a certificate or without.

use private_postgres::PrivateServer;

use super::authority::{Authority, Identity};

/// `app` logs in with a password, `certified` with a certificate of its own.
const ACCESS: &str = "local all all trust\n\
                      hostssl all certified 127.0.0.1/32 cert\n\
                      host all app 127.0.0.1/32 scram-sha-256\n";

pub(super) struct TlsServer(PrivateServer);

impl TlsServer {
    /// One that does not know TLS.
    pub(super) async fn plain() -> Self {
        let server = PrivateServer::builder()
            .tcp(true)
            .setting("fsync", "off")
            .start()
            .await
            .expect("a server");
        for login in ["app", "certified"] {
            server.create_login(login, "").await.expect("login");
        }
        Self(server)
    }

    /// One that presents this certificate, and asks clients for one of the authority.
    pub(super) async fn start(authority: &Authority, identity: &Identity) -> Self {
        let server = Self::plain().await;
        server.write("root.crt", authority.certificate()).await;
        server.write("pg_hba.conf", ACCESS).await;
        for setting in ["ssl = on", "ssl_ca_file = 'root.crt'"] {
            server.execute(&format!("alter system set {setting}")).await;
        }
        server.present(identity).await;
        server
    }

    /// Presents another certificate from now on.
    pub(super) async fn present(&self, identity: &Identity) {
        self.write("server.crt", &identity.certificate).await;
        self.write("server.key", &identity.key).await;
        self.0.restart().await.expect("restart");
    }

    /// The connection URL of a login with more parameters.
    pub(super) fn url(&self, login: &str, host: &str, query: &str) -> String {
        let url = self.0.tcp_url("postgres", login).expect("it listens");
        format!("{}?{query}", url.replace("@127.0.0.1:", &format!("@{host}:")))
    }

    /// Writes a file of the data folder as the server itself, which wants to be its owner.
    async fn write(&self, name: &str, text: &str) {
        let lines = text.trim_end().replace('\'', "''");
        let program = format!("umask 077; cat > {name}");
        self.execute(&format!(
            "copy (select unnest(string_to_array('{lines}', chr(10)))) to program '{program}'"
        ))
        .await;
    }

    async fn execute(&self, sql: &str) {
        self.0.execute_as_superuser("postgres", sql).await.expect(sql);
    }
}
