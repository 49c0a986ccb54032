//! Judges the server and the connection to it.

use tokio_postgres::Row;

use super::{Finding, number};
use crate::error::Result;

/// The versions that the tests run on.
const VERSIONS: std::ops::RangeInclusive<i32> = 15..=18;

pub(super) fn judge(rows: &[Row], direct: bool) -> Result<Vec<Finding>> {
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let (login, database): (&str, &str) = (row.try_get("login")?, row.try_get("database")?);
    let mut found = vec![
        Finding::ok("connection", format!("{login} in database {database}")),
        version(number::<i32>(row, "number")? / 10_000, row.try_get("version")?),
        encoding(row.try_get("encoding")?),
    ];
    if row.try_get("standby")? {
        found.push(Finding::error(
            "standby",
            "the server is a standby and refuses every write",
            "connect to the primary (target_session_attrs=read-write with several hosts in the \
             URL)",
        ));
    }
    found.push(tls(&Way {
        encrypted: row.try_get::<_, Option<bool>>("ssl")?.unwrap_or(false),
        protocol: row.try_get("tls")?,
        socket: row.try_get("socket")?,
        loopback: row.try_get("loopback")?,
    }));
    found.push(pooler(direct));
    Ok(found)
}

fn version(major: i32, whole: &str) -> Finding {
    let seen = format!("PostgreSQL {whole}");
    if VERSIONS.contains(&major) {
        Finding::ok("server_version", seen)
    } else if major < *VERSIONS.start() {
        Finding::error("server_version", seen, "move to PostgreSQL 15 or newer")
    } else {
        Finding::warning(
            "server_version",
            seen,
            "fairclaim is tested on 15 to 18: try a staging database first",
        )
    }
}

fn encoding(encoding: &str) -> Finding {
    let seen = format!("the database's encoding is {encoding}");
    match encoding {
        "UTF8" => Finding::ok("encoding", seen),
        "SQL_ASCII" => Finding::error(
            "encoding",
            seen,
            "move to a database made with `create database … encoding 'UTF8' template template0`: \
             here any bytes are a text",
        ),
        _ => Finding::warning(
            "encoding",
            seen,
            "payloads with characters beyond it are refused; use a database with encoding UTF8",
        ),
    }
}

/// What pg_stat_ssl and the client's address say of the server's side of the connection.
struct Way<'a> {
    encrypted: bool,
    protocol: Option<&'a str>,
    socket: bool,
    loopback: bool,
}

fn tls(way: &Way<'_>) -> Finding {
    if way.encrypted {
        let protocol = way.protocol.unwrap_or("TLS");
        return Finding::ok("tls", format!("the server's side of the connection uses {protocol}"));
    }
    if way.socket {
        return Finding::ok("tls", "a unix socket: nothing to encrypt");
    }
    if way.loopback {
        return Finding::ok("tls", "not encrypted, on the loopback");
    }
    Finding::warning(
        "tls",
        "the connection reaches the server unencrypted: payloads and passwords can be read on the \
         way",
        "add sslmode=verify-full to the URL; behind a pooler, set TLS between pooler and server \
         too",
    )
}

fn pooler(direct: bool) -> Finding {
    if direct {
        Finding::ok("pooler", "direct: statements are prepared, and workers listen for new jobs")
    } else {
        Finding::note(
            "pooler",
            "pooled, or it cannot be told: statements travel whole, and workers find new jobs by \
             polling",
            "it works; for the shortest delay give workers a URL that leads to the server itself",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn versions_are_judged_by_what_is_tested() {
        let level = |major| version(major, "x").level;
        assert_eq!(
            [14, 15, 18, 19].map(level),
            [Level::Error, Level::Ok, Level::Ok, Level::Warning]
        );
    }

    #[test]
    fn an_encoding_that_is_none_is_refused() {
        let level = |name| encoding(name).level;
        assert_eq!(
            ["UTF8", "LATIN1", "SQL_ASCII"].map(level),
            [Level::Ok, Level::Warning, Level::Error]
        );
    }

    #[test]
    fn only_a_way_over_the_network_has_to_be_encrypted() {
        let far = || Way { encrypted: false, protocol: None, socket: false, loopback: false };
        let found = tls(&far());
        assert_eq!(found.level, Level::Warning);
        assert!(found.seen.contains("unencrypted"), "{found:?}");
        assert!(found.advice.is_some_and(|advice| advice.contains("sslmode=verify-full")));
        let seen = |way: Way<'_>| {
            let found = tls(&way);
            assert_eq!((found.level, &found.advice), (Level::Ok, &None), "{found:?}");
            found.seen
        };
        assert!(seen(Way { socket: true, ..far() }).contains("unix socket"));
        assert!(seen(Way { loopback: true, ..far() }).contains("not encrypted, on the loopback"));
        let encrypted = || Way { encrypted: true, ..far() };
        assert!(seen(Way { protocol: Some("TLSv1.3"), ..encrypted() }).ends_with("uses TLSv1.3"));
        assert!(seen(encrypted()).ends_with("uses TLS"), "a server that does not say which");
    }
}
