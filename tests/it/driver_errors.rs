//! The driver keeps the kinds of its errors private, so the library tells them apart by the first words of their messages. Each of
//! those words is provoked here with the locked version of the driver: a newer one that says it otherwise is noticed.

use std::time::Duration;

use fairclaim::{Error, ErrorKind, deadpool_postgres, tokio_postgres};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_postgres::{
    Client, Config, NoTls,
    config::{ChannelBinding, SslMode},
    types::{ToSql, Type},
};

use crate::support::TestDb;

/// The error begins with these words, and becomes this kind; whether something may have been sent.
#[track_caller]
fn becomes(error: tokio_postgres::Error, words: &str, kind: ErrorKind, was_sent: bool) {
    let said = error.to_string();
    assert!(said.starts_with(words), "the driver says {said:?} and no longer {words:?}");
    let error = Error::from(error);
    assert_eq!((error.kind(), error.was_sent()), (kind, was_sent), "{words}: {error:?}");
    assert!(error.hint().is_some(), "{words}: {error:?}");
}

async fn connect(db: &TestDb) -> Client {
    let connected = tokio_postgres::connect(&db.direct_url("test_worker"), NoTls).await;
    let (client, connection) = connected.expect("connect");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn an_answer_or_a_parameter_of_another_shape_is_a_schema_that_does_not_fit() {
    let db = TestDb::new().await;
    let client = connect(&db).await;
    let shape = ErrorKind::SchemaMismatch;
    let text: &(dyn ToSql + Sync) = &"no number";
    let error = client.query_typed("select $1::int4", &[(text, Type::INT4)]).await;
    becomes(error.expect_err("a text"), "error serializing parameter", shape, true);
    let row = client.query_one("select 'x'::text as x", &[]).await.expect("a row");
    becomes(
        row.try_get::<_, i32>(0).expect_err("a text"),
        "error deserializing column",
        shape,
        true,
    );
    becomes(row.try_get::<_, i32>("y").expect_err("no y"), "invalid column", shape, true);
    let error = client.query("select $1::int4", &[]).await.expect_err("no parameter");
    becomes(error, "expected ", shape, true);
    let error = client.query_one("select 1 where false", &[]).await.expect_err("no row");
    becomes(error, "query returned an unexpected number of rows", shape, true);
    let error = client.query_one_scalar::<i32, str>("select 1, 2", &[]).await.expect_err("two");
    becomes(error, "query returned an unexpected number of columns", shape, true);
    let error = client.batch_execute("select '\0'").await.expect_err("a NUL");
    becomes(error, "error encoding message", ErrorKind::InvalidArgument, false);
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_is_told_from_a_configuration_that_is_wrong() {
    let db = TestDb::new().await;
    let config = || db.direct_url("test_worker").parse::<Config>().expect("a URL");
    let failed =
        |config: Config| async move { config.connect(NoTls).await.err().expect("refused") };

    let nobody = "postgres://127.0.0.1:1/x?user=app".parse().expect("a URL");
    let error = failed(nobody).await;
    becomes(error, "error connecting to server", ErrorKind::Unavailable, false);
    let nobody = "postgres://127.0.0.1:1/x?user=app".parse().expect("a URL");
    let error = Error::from(failed(nobody).await);
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
    let kind = source.map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionRefused), "{error:?}");

    let mut encrypted = config();
    encrypted.ssl_mode(SslMode::Require);
    let error = failed(encrypted).await;
    becomes(error, "error performing TLS handshake", ErrorKind::Configuration, false);
    let mut bound = config();
    bound.channel_binding(ChannelBinding::Require);
    becomes(failed(bound).await, "authentication error", ErrorKind::Configuration, false);
    becomes(failed(Config::new()).await, "invalid configuration", ErrorKind::Configuration, false);
    let error = "postgres://h/d?port=x".parse::<Config>().expect_err("no port");
    becomes(error, "invalid connection string", ErrorKind::Configuration, false);
}

/// Connects to a server that answers with these bytes.
async fn answered(bytes: &'static [u8]) -> tokio_postgres::Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut asked = [0; 1024];
        let _read = stream.read(&mut asked).await.expect("a start-up message");
        stream.write_all(bytes).await.expect("an answer");
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let url = format!("postgres://127.0.0.1:{port}/x?user=app&sslmode=disable");
    tokio_postgres::connect(&url, NoTls).await.err().expect("no server")
}

#[tokio::test]
async fn a_connection_that_breaks_or_talks_nonsense_is_unavailable() {
    let gone = ErrorKind::Unavailable;
    let too_short = answered(b"\xff\x00\x00\x00\x01").await;
    becomes(too_short, "error communicating with the server", gone, true);
    let ready_at_once = answered(b"Z\x00\x00\x00\x05I").await;
    becomes(ready_at_once, "unexpected message from server", gone, true);
    let empty_error = answered(b"E\x00\x00\x00\x05\x00").await;
    becomes(empty_error, "error parsing response", gone, true);
    let error = tokio_postgres::Error::__private_api_timeout();
    becomes(error, "timeout waiting for server", gone, true);

    let db = TestDb::new().await;
    let connected = tokio_postgres::connect(&db.direct_url("test_worker"), NoTls).await;
    let (client, connection) = connected.expect("connect");
    drop(connection);
    let error = client.query("select 1", &[]).await.expect_err("no connection");
    becomes(error, "connection closed", gone, true);
}

#[tokio::test]
async fn a_pool_without_a_connection_has_sent_nothing() {
    let error = Error::from(deadpool_postgres::PoolError::Closed);
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unavailable, false), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("pool")), "{error:?}");
}
