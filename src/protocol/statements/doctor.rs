//! The statements of the doctor: it asks the server about the connection, and the schema for its
//! findings.

use tokio_postgres::types::Type;

use super::Statement;

/// Bounds the transaction of one topic, so that it neither waits long nor makes others wait.
pub(crate) const GUARD: &str = "set local statement_timeout = '10s'; set local lock_timeout = \
                                '1s'; \
    set local jit = off; set local search_path = pg_catalog, pg_temp";

pub(crate) const SERVER: Statement = Statement {
    sql: "select pg_catalog.current_setting('server_version_num')::int4 as number, \
          pg_catalog.current_setting('server_version') as version, \
          pg_catalog.current_database()::text as database, session_user::text as login, \
          pg_catalog.current_setting('server_encoding') as encoding, \
          pg_catalog.pg_is_in_recovery() as standby, s.ssl, s.version as tls, \
          pg_catalog.inet_client_addr() is null as socket, \
          coalesce(pg_catalog.inet_client_addr() <<= '127.0.0.0/8' or \
          pg_catalog.inet_client_addr() = '::1', false) as loopback, \
          pg_catalog.to_regnamespace('fairclaim') is not null as installed \
          from (select 1) x \
          left join pg_catalog.pg_stat_ssl s on s.pid = pg_catalog.pg_backend_pid()",
    types: &[],
};

pub(crate) const FINDINGS: Statement = Statement {
    sql: "select f.level, f.name, f.seen, f.advice \
          from fairclaim.doctor_findings(p_topic => $1::text, p_build => $2::jsonb) f",
    types: &[Type::TEXT, Type::JSONB],
};
