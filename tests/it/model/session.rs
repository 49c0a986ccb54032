//! A session that keeps what it has prepared, as drivers do.

use std::{cell::RefCell, collections::HashMap, ops::Deref};

use tokio_postgres::{Error, Row, Statement, types::ToSql};

use crate::support::Client;

type Value<'a> = &'a (dyn ToSql + Sync);

/// Each statement is prepared once, which saves a round trip and the reading of its text in each of thousands of steps.
/// Behind a pooler nothing is prepared: the next call may reach another session of the server.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    kept: RefCell<HashMap<String, Statement>>,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self { client, kept: RefCell::default() }
    }

    /// For looking on only: whoever plays a part has the plans that users have. The tables grow from nothing in every case and
    /// have many ranges, so a plan for each look would cost more than the look.
    pub(super) async fn that_looks_on(client: Client) -> Self {
        if !client.is_pooled() {
            let settings = "set plan_cache_mode = force_generic_plan; set jit = off";
            client.batch_execute(settings).await.expect("settings");
        }
        Self::new(client)
    }

    /// For calls that tests share, which prepare nothing.
    pub(super) fn plain(&self) -> &Client {
        &self.client
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        let kept = self.kept.borrow().get(sql).cloned();
        if let Some(statement) = kept {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.kept.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        if self.client.is_pooled() {
            return self.client.query(sql, values).await;
        }
        let statement = self.statement(sql).await?;
        self.client.deref().query(&statement, values).await
    }

    pub(super) async fn query_one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row, Error> {
        if self.client.is_pooled() {
            return self.client.query_one(sql, values).await;
        }
        let statement = self.statement(sql).await?;
        self.client.deref().query_one(&statement, values).await
    }

    pub(super) async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        if self.client.is_pooled() {
            return self.client.execute(sql, values).await;
        }
        let statement = self.statement(sql).await?;
        self.client.deref().execute(&statement, values).await
    }

    pub(super) async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }
}
