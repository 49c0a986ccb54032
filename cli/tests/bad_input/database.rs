//! What only the database can refuse: exit code 2 for the value of a flag, with its limit and a
//! hint, and every table as it was. The log is as talkative as it gets, and says no more than that.

use super::{
    MARK, Row, fails,
    support::{TestServer, fairclaim},
};

const LIMITS: &str = "`fairclaim dispatch --help` says more";
const VALUE: &str = "change the value; this call wrote nothing";

/// What follows nothing: values of other commands' flags that only the database refuses.
const OTHERS: &[Row] = &[
    (
        &["dispatch", "--type", "t"],
        "--tenant is missing, and the settings have no default_tenant",
        "pass --tenant with a name or a uuid",
    ),
    (&["queues", "pause", "Mail"], "<QUEUE>: must match ^[a-z0-9]", "use lowercase letters"),
    (&["queues", "resume", "Mail"], "<QUEUE>: must match ^[a-z0-9]", "use lowercase letters"),
    (&["prune", "--retention", "1m"], "--retention: must be seconds from 3,600", "leave it out"),
    (
        &["settings", "set", "max_payload", "7"],
        "<VALUE>: must be a number of bytes",
        "change <VALUE> as the message says",
    ),
];

/// What follows `dispatch --tenant acme` with a payload, metadata and a tag that hold the mark.
const DISPATCHES: &[Row] = &[
    (&["--type", "no spaces"], "--type: must match ^[A-Za-z0-9]", LIMITS),
    (&["--type", ""], "--type: must match ^[A-Za-z0-9]", LIMITS),
    (
        &["--type", "MARK; drop table fairclaim_internal.job"],
        "--type: must match ^[A-Za-z0-9]",
        LIMITS,
    ),
    (&["--type", "\u{1b}[31mMARK"], "--type: must match ^[A-Za-z0-9]", LIMITS),
    (
        &["--type", "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"],
        "--type: must match",
        LIMITS,
    ),
    (&["--type", "t", "--queue", "UPPER"], "--queue: must match ^[a-z0-9]", LIMITS),
    (&["--type", "t", "--queue", ""], "--queue: must match ^[a-z0-9]", LIMITS),
    (&["--type", "t", "--priority", "101"], "--priority: must be from -100 to 100", LIMITS),
    (&["--type", "t", "--priority", "-101"], "--priority: must be from -100 to 100", LIMITS),
    (&["--type", "t", "--max-attempts", "0"], "--max-attempts: must be from 1 to 100", LIMITS),
    (&["--type", "t", "--max-attempts", "101"], "--max-attempts: must be from 1 to 100", LIMITS),
    (&["--type", "t", "--timeout", "0"], "--timeout: must be from 1 ms to 24 h", LIMITS),
    (&["--type", "t", "--timeout", "0.0005"], "--timeout: must be from 1 ms to 24 h", LIMITS),
    (
        &["--type", "t", "--run-at", "2999-01-01T00:00:00Z"],
        "--run-at: must be finite, at most 1 day ago",
        LIMITS,
    ),
    (
        &["--type", "t", "--run-at", "2001-01-01T00:00:00Z"],
        "--run-at: must be finite, at most 1 day ago",
        LIMITS,
    ),
    (&["--type", "t", "--tag", ""], "--tag: each must have 1 to 64 characters", LIMITS),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_is_told_without_the_payload_and_leaves_every_table_alone() {
    let server = TestServer::installed().await;
    let contents = server.read(include_str!("../../../tests/it/bad_input/contents.sql")).await;
    let contents: String = contents[0].get(0);
    let look = async || -> String { server.read(&contents).await[0].get(0) };
    let before = look().await;
    let call = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| arg.replace("MARK", MARK)).collect();
        let mut command = server.fairclaim(args.iter().map(String::as_str));
        command.env("RUST_LOG", "trace");
        command
    };
    let job =
        ["dispatch", "--tenant", "acme", "--metadata", "{\"note\": \"MARK\"}", "--tag", "MARK"];
    let pin = ["--payload", "{\"pin\": \"MARK\"}"];
    for (args, says, hint) in DISPATCHES {
        fails(&mut call(&[&job[..], &pin, *args].concat()), "", 2, says, hint);
        assert_eq!(look().await, before, "{args:?} wrote something");
    }
    for (args, says, hint) in OTHERS {
        fails(&mut call(args), "", 2, says, hint);
        assert_eq!(look().await, before, "{args:?} wrote something");
    }
    let numbers = format!("[\"{MARK}\"{}]", ",1e300".repeat(4000));
    let text = |bytes: usize| format!("\"{MARK}{}\"", "m".repeat(bytes - MARK.len() - 2));
    for (stdin, says, hint) in [
        (format!("[\"{MARK}\", 1e999999]"), "22003: a number is out of the range", VALUE),
        (numbers, "--payload: must be at most 1048576 bytes of JSON text", LIMITS),
        // a space more after every comma
        (
            format!("[\"{MARK}\"{}]", ",1".repeat(524_000)),
            "--payload: must be at most 1048576 bytes",
            LIMITS,
        ),
    ] {
        fails(
            &mut call(&[&job[..], &["--type", "t", "--payload", "-"]].concat()),
            &stdin,
            2,
            says,
            hint,
        );
        assert_eq!(look().await, before, "{says} wrote something");
    }
    let twenty_one = ["--tag", "MARK"].repeat(20);
    let args = [&job[..], &pin, &["--type", "t"], &twenty_one].concat();
    fails(&mut call(&args), "", 2, "--tag: must be a list of at most 20", LIMITS);
    let note = format!("{{\"note\": \"{}\"}}", MARK.repeat(2000));
    let args = ["dispatch", "--tenant", "acme", "--type", "t", "--metadata", &note];
    fails(&mut call(&args), "", 2, "--metadata: must be at most 16384 bytes of JSON text", LIMITS);
    let missing = ["jobs", "show", "00000000-0000-7000-8000-000000000000"];
    fails(
        &mut call(&missing),
        "",
        1,
        "there is no job 00000000-0000",
        "`fairclaim jobs list` shows",
    );
    assert_eq!(look().await, before);

    // at the limit it is accepted
    let mut largest = call(&[&job[..], &["--type", "t", "--payload", "-"]].concat());
    let done = super::output(&mut largest, &text(1 << 20));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    super::quotes_nothing("a dispatch", &String::from_utf8_lossy(&done.stderr));
    assert_ne!(look().await, before, "the contents do not tell a change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_or_a_database_that_is_wrong_is_told_apart() {
    let server = TestServer::bare().await;
    server.postgres.create_login("stranger", "").await.unwrap();
    server.postgres.create_database("empty", "stranger").await.unwrap();
    let dispatch = [
        "dispatch",
        "--tenant",
        "acme",
        "--type",
        "mail",
        "--payload",
        "{\"pin\": \"MARKED-7c1f\"}",
    ];
    let on = |database: &str, login: &str| {
        let mut command = fairclaim(dispatch);
        command.env("DATABASE_URL", server.postgres.url(database, login)).env("RUST_LOG", "trace");
        command
    };
    fails(&mut on("empty", "stranger"), "", 1, "schema does not fit", "run `fairclaim migrate`");
    fails(
        &mut on("no_such_database", "app"),
        "",
        2,
        "bad configuration",
        "check user, password and database",
    );
    fails(
        &mut on("app", "no_such_login"),
        "",
        2,
        "bad configuration",
        "check user, password and database",
    );
    let mut migrate = fairclaim(["migrate"]);
    migrate.env("DATABASE_URL", server.postgres.url("empty", "stranger"));
    fails(&mut migrate, "", 1, "role fairclaim_owner is missing", "alter role stranger createrole");
    server.run(["migrate", "--grant-self"]);
    fails(
        &mut on("app", "stranger"),
        "",
        1,
        "privilege missing",
        "as an administrator: grant fairclaim_producer to stranger;",
    );
    let mut work = fairclaim(["work", "--exec", "mail=cat"]);
    work.env("DATABASE_URL", server.postgres.url("app", "stranger"));
    fails(
        &mut work,
        "",
        1,
        "privilege missing",
        "administrator: grant fairclaim_worker to stranger;",
    );
}
