//! A session of a test: one of its own, or what a transaction pooler makes of it.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
};

use tokio_postgres::{
    Error, Row, Transaction,
    types::{ToSql, Type, private::BytesMut},
};

type Value<'a> = &'a (dyn ToSql + Sync);

/// The driver's client, whose everyday calls are right behind a pooler too: there nothing is
/// prepared.
#[derive(Debug)]
pub struct Client {
    inner: tokio_postgres::Client,
    pooled: bool,
}

impl Client {
    pub(crate) fn new(inner: tokio_postgres::Client, pooled: bool) -> Self {
        Self { inner, pooled }
    }

    /// Whether the next call may reach another session of the server, so that nothing can be
    /// prepared.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// The driver's own client, for what has to be prepared.
    pub fn into_driver(self) -> tokio_postgres::Client {
        self.inner
    }

    pub async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        if self.pooled {
            return self.inner.query_typed(sql, &typed(values)).await;
        }
        self.inner.query(sql, values).await
    }

    pub async fn query_one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row, Error> {
        if self.pooled {
            return self.inner.query_typed_one(sql, &typed(values)).await;
        }
        self.inner.query_one(sql, values).await
    }

    pub async fn query_opt(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        if self.pooled {
            return self.inner.query_typed_opt(sql, &typed(values)).await;
        }
        self.inner.query_opt(sql, values).await
    }

    pub async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        if self.pooled {
            return self.inner.execute_typed(sql, &typed(values)).await;
        }
        self.inner.execute(sql, values).await
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &tokio_postgres::Client {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut tokio_postgres::Client {
        &mut self.inner
    }
}

/// What a call needs: a session or a transaction on one. A transaction has a session for as long as
/// it lasts, so it prepares.
pub trait GenericClient: Sync {
    fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

    fn query_one(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Row, Error>> + Send;

    fn query_opt(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send;

    fn execute(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Error>> + Send;
}

macro_rules! generic {
    ($client:ty) => {
        impl GenericClient for $client {
            async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
                <$client>::query(self, sql, values).await
            }

            async fn query_one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row, Error> {
                <$client>::query_one(self, sql, values).await
            }

            async fn query_opt(
                &self,
                sql: &str,
                values: &[Value<'_>],
            ) -> Result<Option<Row>, Error> {
                <$client>::query_opt(self, sql, values).await
            }

            async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
                <$client>::execute(self, sql, values).await
            }
        }
    };
}

generic!(Client);
generic!(Transaction<'_>);
generic!(tokio_postgres::Client);

/// What the values of tests may be, the likeliest first.
const TYPES: [Type; 22] = [
    Type::TEXT,
    Type::UUID,
    Type::INT4,
    Type::INT8,
    Type::INT2,
    Type::FLOAT8,
    Type::FLOAT4,
    Type::BOOL,
    Type::JSONB,
    Type::TIMESTAMPTZ,
    Type::OID,
    Type::CHAR,
    Type::BYTEA,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
    Type::INT2_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::BOOL_ARRAY,
    Type::JSONB_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
];

/// Each value with the type that it can be written as, since the server is not asked.
fn typed<'a>(values: &[Value<'a>]) -> Vec<(Value<'a>, Type)> {
    let of = |value: Value<'_>| {
        let fits = |of: &&Type| value.to_sql_checked(of, &mut BytesMut::new()).is_ok();
        TYPES.iter().find(fits).cloned().unwrap_or_else(|| panic!("no type for {value:?}"))
    };
    values.iter().map(|&value| (value, of(value))).collect()
}
