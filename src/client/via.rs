//! The way of a statement to the database: whole or prepared, on a connection or in a transaction.

use std::{error::Error as StdError, fmt};

use deadpool_postgres::{ClientWrapper, StatementCache};
use tokio_postgres::{
    Client, GenericClient, Row,
    types::{Format, IsNull, ToSql, Type, private::BytesMut},
};

use crate::{
    error::{Error, Result},
    protocol::statements::{Statement, Value},
};

/// A connection or transaction, and whether statements are prepared on it.
pub(crate) struct Via<'a, C> {
    client: &'a C,
    cache: Option<&'a StatementCache>,
    /// The login, where it is known. A refused call names it in the grant to ask for.
    login: Option<&'a str>,
}

impl<'a, C: GenericClient + Sync> Via<'a, C> {
    /// Sends statements whole, which works on every connection and takes about 0.1 ms more a call.
    pub(crate) fn whole(client: &'a C) -> Self {
        Self { client, cache: None, login: None }
    }

    /// Sets the login that is connected.
    pub(crate) fn of_login(self, login: Option<&'a str>) -> Self {
        Self { login, ..self }
    }
}

impl<'a> Via<'a, Client> {
    /// Prepares statements once on this connection. It must not be used behind a transaction
    /// pooler.
    pub(crate) fn prepared(connection: &'a ClientWrapper) -> Self {
        Self { client: connection, cache: Some(&connection.statement_cache), login: None }
    }
}

impl Statement {
    /// Sends the statement whole and reads all rows.
    pub(crate) async fn rows<C: GenericClient + Sync>(
        &self,
        client: &C,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.rows_via(&Via::whole(client), parameters).await
    }

    /// Sends the statement and reads all rows.
    pub(crate) async fn rows_via<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.send(via, parameters).await.map_err(|error| {
            let error = Error::from(error);
            if error.lacks_role() { error.wanting(self.role(), via.login) } else { error }
        })
    }

    async fn send<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        debug_assert_eq!(parameters.len(), self.types.len());
        let sealed: Vec<Sealed<'_>> = parameters.iter().map(|&value| Sealed(value)).collect();
        let values = sealed.iter().map(|value| value as Value<'_>);
        if let Some(cache) = via.cache {
            let prepared = cache.prepare_typed(via.client.client(), self.sql, self.types).await?;
            return via.client.query(&prepared, &values.collect::<Vec<_>>()).await;
        }
        let typed: Vec<_> = values.zip(self.types.iter().cloned()).collect();
        via.client.query_typed(self.sql, &typed).await
    }

    /// Sends the statement and reads the one row that it always answers.
    pub(crate) async fn row_via<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Row> {
        self.rows_via(via, parameters).await?.pop().ok_or_else(|| {
            Error::schema_mismatch(
                "a call that always answers did not",
                "run `fairclaim migrate` against this database",
            )
        })
    }
}

/// A parameter that no log shows. At its debug level the driver prints all parameters, payloads and
/// lease tokens too.
struct Sealed<'a>(Value<'a>);

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

impl ToSql for Sealed<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql_checked(of, out)
    }

    /// Accepts every type, since the value inside checks its type when it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, of: &Type) -> Format {
        self.0.encode_format(of)
    }

    tokio_postgres::types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_shows_nothing_of_itself_and_is_written_as_what_it_is() {
        let payload = serde_json::json!({ "pin": "4711" });
        let sealed = Sealed(&payload);
        assert_eq!(format!("{:?}", &[&sealed as Value<'_>]), "[…]");
        let (mut plain, mut hidden) = (BytesMut::new(), BytesMut::new());
        payload.to_sql_checked(&Type::JSONB, &mut plain).unwrap();
        sealed.to_sql_checked(&Type::JSONB, &mut hidden).unwrap();
        assert_eq!(plain, hidden);
        assert!(
            sealed.to_sql_checked(&Type::UUID, &mut hidden).is_err(),
            "types are still checked"
        );
    }
}
