//! A database for one test.

use std::thread;

use uuid::Uuid;

use crate::{
    Client, logins,
    server::{Server, connect},
    template,
};

/// The clock that can be moved, which replaces the real one in a test database.
const TEST_CLOCK: &str = include_str!("../../../sql/testing/clock.sql");

/// A database of one's own with the schema installed. It is dropped with the value, unless the test
/// failed.
#[derive(Debug)]
pub struct TestDb {
    server: Server,
    name: String,
}

impl TestDb {
    /// A fresh installation.
    pub async fn new() -> Self {
        let server = Server::get().await;
        let template = template::ensure(&server).await;
        Self::copy(server, &template).await
    }

    /// A database without the schema, in which the installer may create it.
    pub async fn empty() -> Self {
        let server = Server::get().await;
        template::ensure(&server).await; // it makes the logins
        Self::copy(server, "template0").await
    }

    /// A fresh installation whose clock [`TestDb::advance`] moves.
    pub async fn with_test_clock() -> Self {
        let db = Self::new().await;
        db.owner().await.batch_execute(TEST_CLOCK).await.expect("the test clock");
        db
    }

    async fn copy(server: Server, template: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        template::create(&server.superuser().await, &name, template).await;
        Self { server, name }
    }

    /// Moves the test clock forward by an interval, `31 days` for instance.
    pub async fn advance(&self, interval: &str) {
        self.owner()
            .await
            .execute(
                "update fairclaim_internal.test_clock set shift = shift + $1::text::interval",
                &[&interval],
            )
            .await
            .expect("a test clock");
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connection URL for a login: `test_worker`, `test_producer`, … Through the run's pooler,
    /// where there is one.
    pub fn url(&self, login: &str) -> String {
        self.server.pooled_url(&self.name, login)
    }

    /// The same, always without a pooler.
    pub fn direct_url(&self, login: &str) -> String {
        self.server.url(&self.name, login)
    }

    /// The library's client for a login.
    pub async fn client(&self, login: &str) -> fairclaim::Client {
        fairclaim::Client::connect(&self.url(login)).await.expect("connect")
    }

    /// The same, always without a pooler.
    pub async fn direct_client(&self, login: &str) -> fairclaim::Client {
        fairclaim::Client::connect(&self.direct_url(login)).await.expect("connect")
    }

    /// A session of any login.
    pub async fn session(&self, login: &str) -> Client {
        connect(&self.url(login)).await
    }

    /// A session of one's own, which no pooler lends.
    pub async fn direct_session(&self, login: &str) -> Client {
        connect(&self.direct_url(login)).await
    }

    /// A session of the superuser, who is nobody in a test.
    pub async fn superuser(&self) -> Client {
        self.server.superuser().await
    }

    /// A session of the superuser in this database.
    pub async fn superuser_here(&self) -> Client {
        let row = self.superuser().await.query_one("select user::text", &[]).await.expect("user");
        self.direct_session(row.get(0)).await
    }

    /// A session that may claim and settle.
    pub async fn worker(&self) -> Client {
        self.session(logins::WORKER).await
    }

    /// A session that may dispatch.
    pub async fn producer(&self) -> Client {
        self.session(logins::PRODUCER).await
    }

    /// A session of an untrusted customer; it has no tenant yet.
    pub async fn tenant(&self) -> Client {
        self.session(logins::TENANT).await
    }

    /// A session that may administer, and read payloads.
    pub async fn operator(&self) -> Client {
        self.session(logins::OPERATOR).await
    }

    /// A session that may administer, and not read payloads or errors.
    pub async fn plain_operator(&self) -> Client {
        self.session(logins::PLAIN_OPERATOR).await
    }

    /// A session that may read everything.
    pub async fn auditor(&self) -> Client {
        self.session(logins::AUDITOR).await
    }

    /// A session with no role.
    pub async fn stranger(&self) -> Client {
        self.session(logins::STRANGER).await
    }

    /// A session that may install.
    pub async fn installer(&self) -> Client {
        self.session(logins::INSTALLER).await
    }

    /// A session that acts as the owner of the tables, for looking behind the protocol. `reset
    /// role` in it gives a login that sees what other sessions wait for. Never through a pooler:
    /// the role holds for the session.
    pub async fn owner(&self) -> Client {
        let client = self.direct_session(logins::OWNER).await;
        // as inside the protocol's functions, so that tests can call what these call
        let role = "set role fairclaim_owner; set search_path = public, fairclaim_internal";
        client.batch_execute(role).await.expect("set role");
        client
    }

    /// Gives jobs of this priority lanes of their own, as if their tenants had a backlog of them:
    /// for tests of what becomes of lanes.
    pub async fn own_lanes(&self, priority: i32) {
        let single = (
            "into_lane",
            "limit 8) shared) < 8",
            format!("limit 8) shared) < case p_priority when {priority} then 0 else 8 end"),
        );
        let many = (
            "into_lanes",
            "light.is_light, false) and (",
            format!("light.is_light, false) and kind.priority <> {priority} and ("),
        );
        let owner = self.owner().await;
        for (function, text, instead) in [single, many] {
            let sql = "select pg_catalog.pg_get_functiondef(p.oid) from pg_catalog.pg_proc p
                        where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proname = $1";
            let definition: String =
                owner.query_one(sql, &[&function]).await.expect(function).get(0);
            assert!(definition.contains(text), "{function} has no {text:?}");
            owner.batch_execute(&definition.replace(text, &instead)).await.expect(function);
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept the database of the failed test: {}", self.url(logins::OWNER));
            return;
        }
        let (server, statement) =
            (self.server.clone(), format!("drop database {} with (force)", self.name));
        // The test's own runtime may be the one that is running this, so a second one does the
        // waiting.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(async { server.superuser().await.batch_execute(&statement).await })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("cannot drop the database {}; the server's end will take it", self.name);
        }
    }
}
