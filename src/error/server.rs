//! What an error of the server, or of a pooler in its name, means for the caller.

use tokio_postgres::error::DbError;

use super::Error;

/// Our own codes become their variants; a few of the server's mean the same; the rest keeps its code.
pub(super) fn explain(server: &DbError) -> Error {
    let message = server.message().to_owned();
    let hint = server.hint().filter(|hint| !hint.is_empty()).map(str::to_owned);
    let sqlstate = server.code().code();
    match sqlstate {
        "JQ001" => Error::LeaseLost { message, hint },
        "JQ002" => Error::Tenant { message, hint },
        "JQ003" => Error::Quota { message, hint },
        "JQ004" => Error::BadArgument { message, hint },
        "JQ005" => Error::NotFound { message, hint },
        "JQ006" => Error::Schema { message, hint },
        "JQ007" => Error::Privilege { message, hint },
        "42501" => {
            let hint = grant_hint(&message);
            Error::Privilege { message, hint: Some(hint) }
        }
        "3F000" | "42883" | "42P01" | "42703" => Error::Schema {
            message,
            hint: Some("run `fairclaim migrate` against this database".into()),
        },
        "3D000" | "28000" | "28P01" => {
            let hint = Some(login_hint(&message).into());
            Error::Config { message, hint }
        }
        // a standby refuses most writes as read-only, but unlogged relations and transaction ids in words of their own
        "0A000" | "55000" if message.contains("during recovery") => Error::Database {
            message: format!("the server is a standby, which cannot be written to: {message}"),
            sqlstate: READ_ONLY.to_owned(),
        },
        // shut down, crashed, starting up, too many connections, and whatever the class of connections holds
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => Error::Unavailable { message },
        _ if sqlstate.starts_with("08") => from_pooler(message),
        _ => Error::Database {
            message: if sqlstate.starts_with("22") {
                input_text(sqlstate).to_owned()
            } else {
                message
            },
            sqlstate: sqlstate.to_owned(),
        },
    }
}

/// Of a transaction that may not write: a standby, or a login that is told to.
const READ_ONLY: &str = "25006";

/// What to do about a server that cannot be had.
pub(super) fn unavailable_hint(message: &str) -> &'static str {
    if message.starts_with("too many ") || message.contains("connection slots") {
        "its connections are used up: smaller pools, a higher limit of the login or the server, or a pooler in between"
    } else if message.contains("pool") {
        "close what holds connections for long, or give the pool more of them"
    } else {
        "check that PostgreSQL answers at the connection URL (--database-url, DATABASE_URL)"
    }
}

/// What to do about an error that keeps the server's code.
pub(super) fn database_hint(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        // a prepared statement that does not exist, or that exists already, is another session's
        "26000" | "42P05" => {
            "a transaction pooler seems to be in between: use --connection pooled, ConnectionMode::Pooled"
        }
        READ_ONLY => {
            "connect to the primary (target_session_attrs=read-write), or reset default_transaction_read_only of this login"
        }
        "57014" => {
            "raise statement_timeout of this login, or ask for less: another filter, a smaller page"
        }
        "55P03" => {
            "end the transaction that holds the lock (pg_terminate_backend(pid) ends its session), or let it end; then run it again"
        }
        "40001" | "40P01" => "two transactions got in each other's way: try again",
        "53100" => "the server's disk is full: make room, then try again",
        "53400" => {
            "this call needs more temporary space than temp_file_limit gives this login: send fewer or smaller jobs at once, or as an \
             administrator raise it (alter role … set temp_file_limit = '256MB')"
        }
        "53200" => {
            "the server has no memory left: give it more, or fewer connections, then try again"
        }
        _ if sqlstate.starts_with("22") => "change the value; this call wrote nothing",
        _ => return None,
    })
}

/// A pooler has one code for all that it says itself, so only its words tell what will never work from what may pass.
fn from_pooler(message: String) -> Error {
    if message.starts_with("unsupported startup parameter") {
        return Error::Config {
            message,
            hint: Some(
                "the pooler passes this parameter on to no server: leave it out of the connection URL".into(),
            ),
        };
    }
    let unknown = (message.contains("database") && message.contains("does not exist"))
        || message.starts_with("no such ")
        || message.contains("authentication failed");
    if unknown {
        let hint = Some(login_hint(&message).into());
        return Error::Config { message, hint };
    }
    Error::Unavailable { message }
}

/// What a login lacks that the server just refused.
fn login_hint(message: &str) -> &'static str {
    if message.contains("client certificate") || message.starts_with("certificate auth") {
        "give the certificate of this login: sslcert=/path/to/client.crt and sslkey=/path/to/client.key"
    } else if message.contains("no pg_hba.conf entry") && message.ends_with("no encryption") {
        "the server wants TLS for this login: use sslmode=verify-full, or require"
    } else {
        "check user, password and database of the connection URL"
    }
}

/// Which role has what the server just denied.
pub(super) fn grant_hint(message: &str) -> String {
    if message.contains("for language") {
        return "as an administrator: grant usage on language plpgsql to public while `fairclaim migrate` runs; what it installs works without"
            .to_owned();
    }
    if message.contains("row-level security") {
        return "row_security is off in this session: set row_security = on, or as an administrator alter role … reset row_security"
            .to_owned();
    }
    let role = [
        ("dispatch_", "fairclaim_producer"),
        ("cancel_jobs", "fairclaim_producer"),
        ("retry_jobs", "fairclaim_producer"),
        ("list_jobs", "fairclaim_operator"),
        ("show_job", "fairclaim_operator"),
        ("count_jobs", "fairclaim_operator"),
        ("pause_queue", "fairclaim_operator"),
        ("resume_queue", "fairclaim_operator"),
        ("list_queues", "fairclaim_operator"),
        ("release_jobs", "fairclaim_operator"),
        ("release_worker", "fairclaim_operator"),
        ("function prune", "fairclaim_operator"),
        ("claim", "fairclaim_worker"),
        ("settle_", "fairclaim_worker"),
        ("extend_leases", "fairclaim_worker"),
        ("function tick", "fairclaim_worker"),
    ]
    .iter()
    .find(|(name, _)| message.replace("schema fairclaim", "").contains(name))
    .map_or(
        "the role that the work needs (fairclaim_worker, fairclaim_producer, fairclaim_operator)",
        |&(_, role)| role,
    );
    format!(
        "as an administrator grant {role} to this login (one that has it without inheriting it, NOINHERIT, needs alter role … inherit, \
         or from PostgreSQL 16 on a grant with inherit true); `fairclaim migrate --grant-self` does it for the installer"
    )
}

/// The server's own messages of this class quote the value, so a fixed text stands for them.
fn input_text(sqlstate: &str) -> &'static str {
    match sqlstate {
        "22P05" | "22021" => {
            "a text holds a character that the database cannot store (NUL, a lone surrogate)"
        }
        "22003" => "a number is out of the range that the database can store",
        "22P02" | "22032" | "22030" => "a value does not have the syntax of its type",
        "22008" | "22007" => "a time is malformed or out of range",
        _ => "a value was refused by its type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_lacks_is_what_the_hint_speaks_of() {
        for (message, word) in [
            ("too many connections for role \"app\"", "limit"),
            ("remaining connection slots are reserved", "limit"),
            ("no connection of the pool became free in time", "pool"),
            ("connection refused", "answers"),
        ] {
            assert!(unavailable_hint(message).contains(word), "{message}");
        }
        for (sqlstate, word) in [
            ("25006", "primary"),
            ("57014", "statement_timeout"),
            ("55P03", "pg_terminate_backend"),
            ("53100", "disk"),
            ("53400", "temp_file_limit"),
            ("42P05", "pooled"),
            ("22003", "value"),
        ] {
            assert!(database_hint(sqlstate).is_some_and(|hint| hint.contains(word)), "{sqlstate}");
        }
        assert_eq!(database_hint("XX000"), None);
    }

    #[test]
    fn what_a_pooler_will_never_let_in_is_told_from_what_may_pass() {
        for message in [
            "no such user: app",
            "database \"app\" does not exist",
            "\"trust\" authentication failed",
            "unsupported startup parameter: options",
        ] {
            assert!(matches!(from_pooler(message.into()), Error::Config { .. }), "{message}");
        }
        for message in ["server login has been failing, try again later", "query_wait_timeout"] {
            assert!(from_pooler(message.into()).is_transient(), "{message}");
        }
    }

    #[test]
    fn a_denied_function_names_the_role_to_ask_for() {
        assert!(
            grant_hint("permission denied for function claim_jobs")
                .contains("grant fairclaim_worker")
        );
        assert!(
            grant_hint("permission denied for function dispatch_job")
                .contains("fairclaim_producer")
        );
        assert!(
            grant_hint("permission denied for schema fairclaim")
                .contains("the role that the work needs")
        );
    }

    #[test]
    fn a_denied_language_is_not_taken_for_a_missing_role() {
        let hint = grant_hint("permission denied for language plpgsql");
        assert!(
            hint.contains("grant usage on language plpgsql") && !hint.contains("fairclaim_worker")
        );
    }

    #[test]
    fn input_errors_never_quote_a_value() {
        for sqlstate in ["22P02", "22003", "22021", "22P05", "22007", "22999"] {
            assert!(!input_text(sqlstate).contains('"'));
        }
    }
}
