//! Environment, URLs and the files that they name: wrong configuration is exit code 2, a database
//! that is away is 1. The password is never told.

use std::io::{BufRead, BufReader};

use super::{fails, support::fairclaim};

/// A URL, how the program exits, what it says and what it hints.
const URLS: &[(&str, i32, &str, &str)] = &[
    ("", 2, "no database is given", "set DATABASE_URL or pass --database-url"),
    (" ", 2, "no database is given", "set DATABASE_URL or pass --database-url"),
    ("hunter2", 2, "the connection URL cannot be read", "write postgres://user:password@host"),
    ("mysql://a:hunter2@h/d", 2, "the connection URL cannot be read", "write postgres://"),
    ("http://a:hunter2@h/d", 2, "the connection URL cannot be read", "write postgres://"),
    (
        "postgres://a:hunter2@[::1/d",
        2,
        "invalid value for parameter `host`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:hunter2@h/d?sslmode",
        2,
        "the connection URL cannot be read",
        "write postgres://",
    ),
    ("host=h password='hunter2", 2, "the connection URL cannot be read", "write postgres://"),
    ("postgres://a:hun@ter2@127.0.0.1/d", 2, "an @ in its user or password", "as %XX: @ as %40"),
    ("postgres://a:hun@ter2/x@h/d", 2, "an @ in its user or password", "as %XX: @ as %40"),
    (
        "postgres://a:hunter2@h:port/d",
        2,
        "invalid value for parameter `port`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:hunter2@h:65536/d",
        2,
        "invalid value for parameter `port`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:hunter2@h/d?pgbouncer=true",
        2,
        "unknown parameter `pgbouncer`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:hunter2@h/d?passfile=/etc/app/passwords",
        2,
        "unknown parameter `passfile`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:hunter2@h/d?connect_timeout=hunter2",
        2,
        "invalid value for parameter `connect_timeout`",
        "leave it out",
    ),
    (
        "postgres://a:hunter2@h/d?sslmode=hunter2",
        2,
        "sslmode is none of the modes of libpq",
        "use disable, prefer",
    ),
    (
        "postgres://a:hunter2@h/d?gssencmode=require",
        2,
        "gssencmode=require is not supported",
        "leave it out",
    ),
    (
        "postgres://a:hunter2@h/d?sslrootcert=system&sslmode=require",
        2,
        "sslrootcert=system needs",
        "weaker mode",
    ),
    (
        "postgres://a:hunter2@h/d?sslkey=/k",
        2,
        "sslcert and sslkey belong together",
        "give both or neither",
    ),
    (
        "postgres://a:hunter2@h/d?sslmode=verify-full&sslrootcert=/no/such",
        2,
        "the file of sslrootcert cannot be read",
        "name a readable PEM file",
    ),
    (
        "postgres://a:hunter2@h/d?sslmode=verify-full&sslrootcert=/dev/null",
        2,
        "the file of sslrootcert has no certificate",
        "name a PEM file",
    ),
    (
        "postgres://a:hunter2@h/d?sslmode=require&sslcert=/no/such&sslkey=/no/such",
        2,
        "the file of sslcert cannot be read",
        "name a readable PEM file",
    ),
    (
        "postgres://a:hunter2@127.0.0.1:1/d?connect_timeout=2",
        1,
        "Connection refused (os error 111) (127.0.0.1:1)",
        "check that PostgreSQL answers",
    ),
    (
        "postgres://a:hunter2@no-such-host.invalid/d?connect_timeout=2",
        1,
        "(no-such-host.invalid:5432)",
        "check that PostgreSQL answers",
    ),
    (
        "postgres://a:hunter2@%2Fno%2Fsuch%2Ffolder/d?connect_timeout=2",
        1,
        "(/no/such/folder/.s.PGSQL.5432)",
        "check that PostgreSQL answers",
    ),
];

#[test]
fn a_url_that_cannot_be_used_is_told_without_its_password() {
    for (url, exit, says, hint) in URLS {
        let mut by_flag = fairclaim(["jobs", "list", "--database-url", url]);
        fails(&mut by_flag, "", *exit, says, hint);
        let mut by_environment = fairclaim(["migrate"]);
        fails(by_environment.env("DATABASE_URL", url), "", *exit, says, hint);
    }
}

/// Every command that needs a database says the same; the flag wins over the environment.
#[test]
fn every_command_refuses_the_same_url() {
    let bad = "postgres://a:hunter2@h/d?sslmode=hunter2";
    for args in [
        &["migrate"] as &[&str],
        &["dispatch", "--tenant", "acme", "--type", "mail"],
        &["work", "--exec", "a=b"],
        &["jobs", "list"],
        &["jobs", "show", "00000000-0000-7000-8000-000000000000"],
        &["bench", "drain", "--quick"],
        &["demo", "--jobs", "1000"],
    ] {
        let mut command = fairclaim(args.iter().copied());
        fails(
            command.env("DATABASE_URL", bad),
            "",
            2,
            "sslmode is none of the modes of libpq",
            "use disable",
        );
        let mut command = fairclaim(args.iter().copied());
        command
            .args(["--database-url", bad])
            .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        fails(&mut command, "", 2, "sslmode is none of the modes of libpq", "use disable");
    }
}

#[test]
fn a_setting_of_the_log_that_cannot_be_read_is_wrong_configuration() {
    for wish in ["fairclaim=loud", "info,=", "a[b=c", "fairclaim=debug,=,="] {
        let mut command = fairclaim(["jobs", "list"]);
        command
            .env("RUST_LOG", wish)
            .env("DATABASE_URL", "postgres://a:hunter2@127.0.0.1:1/d?connect_timeout=2");
        fails(
            &mut command,
            "",
            2,
            "RUST_LOG cannot be read",
            "write it like info, or warn,fairclaim=debug",
        );
    }
    for wish in ["", "off", "trace", "warn,fairclaim=debug"] {
        let mut command = fairclaim(["jobs", "list"]);
        command
            .env("RUST_LOG", wish)
            .env("DATABASE_URL", "postgres://a:hunter2@127.0.0.1:1/d?connect_timeout=2");
        fails(&mut command, "", 1, "database unavailable", "check that PostgreSQL answers");
    }
}

#[test]
fn a_folder_of_postgresqls_programs_that_holds_none_is_told() {
    for command in
        [&["demo", "--jobs", "1000", "--offline"] as &[&str], &["bench", "drain", "--quick"]]
    {
        let mut command = fairclaim(command.iter().copied());
        command.env("FAIRCLAIM_PG_BIN", "/no/such/folder");
        fails(
            &mut command,
            "",
            1,
            "FAIRCLAIM_PG_BIN=/no/such/folder",
            "name the folder that holds the programs",
        );
    }
}

/// Variables of the environment that name what is not there, what is said and what is hinted.
const VARIABLES: &[(&str, &str, &str, &str)] = &[
    (
        "FAIRCLAIM_CONNECTION",
        "bogus",
        "invalid value 'bogus' for '--connection <MODE>'",
        "--help` says what may stand there",
    ),
    (
        "FAIRCLAIM_CONFIG",
        "/no/such/fairclaim.toml",
        "cannot read the configuration file /no/such/fairclaim.toml: there is no such file",
        "--config or FAIRCLAIM_CONFIG names it",
    ),
];

#[test]
fn a_variable_that_names_what_is_not_there_is_wrong_configuration() {
    for (name, value, says, hint) in VARIABLES {
        for args in [
            &["jobs", "list"] as &[&str],
            &["migrate"],
            &["dispatch", "--tenant", "acme", "--type", "mail"],
            &["work", "--exec", "a=b"],
            &["doctor", "--json"],
        ] {
            let mut command = fairclaim(args.iter().copied());
            command.env(name, value).env("DATABASE_URL", NOWHERE);
            fails(&mut command, "", 2, says, hint);
        }
    }
}

/// It accepts and never answers: what is waited for is said long before the wait is given up.
#[test]
fn a_server_that_never_answers_is_named_while_it_is_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut command = fairclaim(["jobs", "list"]);
    command.env("DATABASE_URL", format!("postgres://a:hunter2@{address}/d"));
    let mut waiting = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut line).unwrap();
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    let says = format!("still waiting for PostgreSQL to answer at {address}");
    assert!(line.contains(&says) && !line.contains("hunter2"), "{line}");
}

/// An address that nobody listens on.
const NOWHERE: &str = "postgres://a:hunter2@127.0.0.1:1/d?connect_timeout=2";

/// A worker waits for its database, and lines that are under way do; these do not.
#[test]
fn a_server_that_is_away_at_the_beginning_is_an_error_at_once() {
    let name = format!("fc-away-{}.jsonl", uuid::Uuid::new_v4().simple());
    let file = std::env::temp_dir().join(name);
    let line = "{\"tenant\":\"acme\",\"type\":\"mail\"}\n";
    std::fs::write(&file, line).unwrap();
    for (args, stdin) in [
        (&["dispatch", "--file", file.to_str().unwrap()] as &[&str], ""),
        (&["dispatch", "--file", "-"], line),
        (&["work", "--drain", "--exec", "mail=true"], ""),
    ] {
        let mut command = fairclaim(args.iter().copied());
        command.env("DATABASE_URL", NOWHERE);
        let (says, hint) = ("database unavailable", "check that PostgreSQL answers");
        let said = fails(&mut command, stdin, 1, says, hint);
        // whoever tries once more says so
        assert_eq!(said.lines().count(), 2, "{args:?}: {said}");
    }
    std::fs::remove_file(file).unwrap();
}
