//! Explains errors of the server, or of a pooler that speaks in its name.

use std::borrow::Cow;

use tokio_postgres::error::DbError;

use super::{Error, ErrorKind};

/// Finds the kind of an error. The protocol's own codes have their kinds, a few of the server's
/// codes mean the same, and the rest keeps its code.
pub(super) fn explain(server: &DbError) -> Error {
    let message = server.message();
    let sqlstate = server.code().code();
    let mut error = match (ErrorKind::of_code(sqlstate), sqlstate) {
        (Some(kind), _) => ours(kind, server),
        (None, "42501") => denied(message),
        (None, "3F000" | "42883" | "42P01" | "42703") => {
            Error::schema_mismatch(message, "run `fairclaim migrate` against this database")
        }
        (None, "3D000" | "28000" | "28P01") => Error::configuration(message, login_hint(message)),
        // a standby refuses most writes as read-only, but unlogged relations and transaction ids
        // with other codes
        (None, "0A000" | "55000") if message.contains("during recovery") => Error::database(
            READ_ONLY,
            format!("the server is a standby, which cannot be written to: {message}"),
        ),
        // shut down, crashed, starting up, idle for too long, too many connections
        (None, "57P01" | "57P02" | "57P03" | "57P05" | "53300") => Error::unavailable(message),
        (None, _) if sqlstate.starts_with("08") => from_pooler(message),
        (None, _) if sqlstate.starts_with("22") => Error::database(sqlstate, input_text(sqlstate)),
        (None, _) => Error::database(sqlstate, message),
    };
    if sqlstate == "53300" {
        error = error.with_hint(NO_SLOT);
    }
    // the refusal of a standby has the one code READ_ONLY already, whatever the server sent
    error.0.sqlstate.get_or_insert_with(|| sqlstate.to_owned());
    error
}

/// Reads an error of the protocol. DETAIL is read only here, since that of any other error may
/// quote a row.
fn ours(kind: ErrorKind, server: &DbError) -> Error {
    let error = Error::new(kind, server.message());
    let error = match server.hint().filter(|hint| !hint.is_empty()) {
        Some(hint) => error.with_hint(hint),
        None => error,
    };
    match server.detail() {
        Some(detail) => error.with_detail(detail),
        None => error,
    }
}

/// The code of a transaction that may not write, on a standby or of a login that may only read.
pub(crate) const READ_ONLY: &str = "25006";

/// What to do about a server that does not answer.
pub(super) const NO_ANSWER: &str =
    "check that PostgreSQL answers at the connection URL (--database-url, DATABASE_URL)";

/// What to do about a server that has no connection left.
const NO_SLOT: &str = "all connections are in use: make pools smaller, raise the limit of the \
                       login or the server, or put a pooler in between";

/// Says what to do about an error that keeps the server's code.
pub(super) fn database_hint(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        // a prepared statement that is unexpectedly there or missing belongs to another session
        "26000" | "42P05" => {
            "a transaction pooler seems to be in between: use --connection pooled, \
             ConnectionMode::Pooled"
        }
        READ_ONLY => {
            "connect to the primary (target_session_attrs=read-write), or reset \
             default_transaction_read_only of this login"
        }
        "57014" => {
            "raise statement_timeout of this login, or ask for less: another filter, a smaller page"
        }
        "55P03" => {
            "end the transaction that holds the lock (pg_terminate_backend(pid) ends its \
             session), or let it end; then run it again"
        }
        "40001" | "40P01" => "two transactions got in each other's way: try again",
        "53100" => "the server's disk is full: make room, then try again",
        "53400" => {
            "this call needs more temporary space than temp_file_limit gives this login: send \
             fewer or smaller jobs at once, or as an \
             administrator raise it (alter role … set temp_file_limit = '256MB')"
        }
        "53200" => {
            "the server has no memory left: give it more, or fewer connections, then try again"
        }
        _ if sqlstate.starts_with("22") => "change the value; this call wrote nothing",
        _ => return None,
    })
}

/// Explains an error of a pooler. It has one code for all of its own errors, so only its words tell
/// what will never work from what may pass.
fn from_pooler(message: &str) -> Error {
    if message.starts_with("unsupported startup parameter") {
        return Error::configuration(
            message,
            "the pooler passes this parameter on to no server: leave it out of the connection URL",
        );
    }
    let unknown = (message.contains("database") && message.contains("does not exist"))
        || message.starts_with("no such ")
        || message.contains("authentication failed");
    if unknown {
        return Error::configuration(message, login_hint(message));
    }
    let error = Error::unavailable(message);
    if message.starts_with("too many ") || message.contains("connection slots") {
        return error.with_hint(NO_SLOT);
    }
    error
}

/// Says what a login lacks that the server has refused.
fn login_hint(message: &str) -> &'static str {
    if message.contains("client certificate") || message.starts_with("certificate auth") {
        "give the certificate of this login: sslcert=/path/to/client.crt and \
         sslkey=/path/to/client.key"
    } else if message.contains("no pg_hba.conf entry") && message.ends_with("no encryption") {
        "the server wants TLS for this login: use sslmode=verify-full, or require"
    } else {
        "check user, password and database of the connection URL"
    }
}

/// Explains a refusal for lack of a right. Which role has the right depends on the statement;
/// [`Error::wanting`] names it where that is known.
fn denied(message: &str) -> Error {
    let error = Error::new(ErrorKind::PrivilegeMissing, message);
    if message.contains("for language") {
        return error.with_hint(
            "as an administrator: grant usage on language plpgsql to public while `fairclaim \
             migrate` runs; what it installs works without that grant",
        );
    }
    if message.contains("row-level security") {
        return error.with_hint(
            "row_security is off in this session: set row_security = on, or as an administrator \
             alter role … reset row_security",
        );
    }
    let mut error = error.with_hint(
        "as an administrator grant this login the role that has this right: fairclaim_producer to \
         dispatch, fairclaim_worker to \
         claim, fairclaim_operator to administer; one that has it without inheriting it \
         (NOINHERIT) needs alter role … inherit, or from \
         PostgreSQL 16 on a grant with inherit true",
    );
    error.0.lacks_role = true;
    error
}

/// Words the grant to ask for. The login is not known everywhere.
pub(super) fn role_hint(role: &str, login: Option<&str>) -> String {
    let login = login.map_or("<this login>".into(), quoted);
    format!(
        "as an administrator: grant {role} to {login}; a login that has it without inheriting it \
         (NOINHERIT) needs alter role {login} inherit, or \
         from PostgreSQL 16 on grant {role} to {login} with inherit true"
    )
}

/// Writes a name as SQL reads it.
fn quoted(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        name.into()
    } else {
        format!("\"{}\"", name.replace('"', "\"\"")).into()
    }
}

/// Gives a fixed text in place of the server's own message, since messages of this class quote the
/// value.
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
            assert_eq!(from_pooler(message).kind(), ErrorKind::Configuration, "{message}");
        }
        for message in ["server login has been failing, try again later", "query_wait_timeout"] {
            assert!(from_pooler(message).is_transient(), "{message}");
        }
    }

    #[test]
    fn a_pooler_without_a_free_connection_speaks_of_connections() {
        for message in
            ["too many connections for role \"app\"", "remaining connection slots are reserved"]
        {
            assert!(
                from_pooler(message).hint().is_some_and(|hint| hint.contains("limit")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_grant_can_be_pasted() {
        assert!(
            role_hint("fairclaim_worker", Some("app")).contains("grant fairclaim_worker to app;")
        );
        let odd = role_hint("fairclaim_worker", Some("My \"App\""));
        assert!(odd.contains(r#"grant fairclaim_worker to "My ""App""";"#), "{odd}");
        assert!(
            role_hint("fairclaim_worker", None).contains("grant fairclaim_worker to <this login>;")
        );
    }

    #[test]
    fn a_denied_language_is_not_taken_for_a_missing_role() {
        let error =
            denied("permission denied for language plpgsql").wanting("fairclaim_worker", None);
        let hint = error.hint().unwrap_or_default();
        assert!(
            hint.contains("grant usage on language plpgsql") && !hint.contains("fairclaim_worker")
        );
        let error =
            denied("permission denied for schema fairclaim").wanting("fairclaim_worker", None);
        assert!(error.hint().is_some_and(|hint| hint.contains("grant fairclaim_worker")));
    }

    #[test]
    fn input_errors_never_quote_a_value() {
        for sqlstate in ["22P02", "22003", "22021", "22P05", "22007", "22999"] {
            assert!(!input_text(sqlstate).contains('"'));
        }
    }
}
