//! Flags, and the documents that they name: refused before the program connects.

use super::{MARK, Row, fails, support::fairclaim};

/// An address that no server listens on: a call that came as far would fail otherwise.
const NOWHERE: &str = "postgres://nobody:hunter2@127.0.0.1:1/none?connect_timeout=2";

const COMMANDS: &str = "--help` says what may stand there";

const ONE_JOB: &str = "one job needs --type, and --tenant";

const ROWS: &[Row] = &[
    (&["dispath"], "unrecognized subcommand 'dispath'", COMMANDS),
    (&["--lease"], "unexpected argument '--lease'", COMMANDS),
    (&["--log-format", "xml", "jobs", "list"], "invalid value 'xml' for '--log-format", COMMANDS),
    (
        &["jobs", "list", "--connection", "bogus"],
        "invalid value 'bogus' for '--connection <MODE>'",
        COMMANDS,
    ),
    (&["dispatch", "--tenant", "acme"], "--type", ONE_JOB),
    (&["jobs"], "list", COMMANDS),
    (&["jobs", "list", "--status", "done"], "it is one of scheduled, pending", COMMANDS),
    (&["jobs", "list", "--limit", "0"], "1..=1000", COMMANDS),
    (&["jobs", "list", "--limit", "1001"], "1..=1000", COMMANDS),
    (&["jobs", "list", "--limit", "many"], "--limit", COMMANDS),
    (&["jobs", "list", "--before", "17"], "--before", COMMANDS),
    (
        &["jobs", "list", "--tenant", ""],
        "must be 1 to 255 bytes without control characters",
        COMMANDS,
    ),
    (&["jobs", "show"], "<ID>", COMMANDS),
    (&["jobs", "show", "17"], "it must be the id of a job, such as 01990000", COMMANDS),
    (&["migrate", "--print", "--json"], "cannot be used with", COMMANDS),
    (&["migrate", "now"], "unexpected argument 'now'", COMMANDS),
    (&["work"], "--exec", COMMANDS),
    (&["work", "--exec", "mail"], "write it like send_mail=", COMMANDS),
    (&["work", "--exec", "=true"], "write it like send_mail=", COMMANDS),
    (&["work", "--exec", "mail= "], "write it like send_mail=", COMMANDS),
    (&["work", "--exec", "a=b", "--queue", ""], "write it like mail or mail:20", COMMANDS),
    (&["work", "--exec", "a=b", "--queue", "mail:0"], "write it like mail or mail:20", COMMANDS),
    (
        &["work", "--exec", "a=b", "--queue", "mail:99999999999999999999"],
        "the number after the colon",
        COMMANDS,
    ),
    (&["work", "--exec", "a=b", "--lease", "soon"], "write it like 250ms, 30s", COMMANDS),
    (&["work", "--exec", "a=b", "--lease", "NaN"], "write it like 250ms, 30s", COMMANDS),
    (&["work", "--exec", "a=b", "--lease", "1e300"], "write it like 250ms, 30s", COMMANDS),
    (&["work", "--exec", "a=b", "--grace=-1s"], "it cannot be negative", COMMANDS),
    (
        &["work", "--exec", "a=b", "--queue", "mail:10001"],
        "concurrency of queue mail",
        "1 to 10,000",
    ),
    (
        &["work", "--exec", "a=b", "--queue", "Mail"],
        "has a name that no queue can have",
        "use 1 to 64 of a-z",
    ),
    (
        &["work", "--exec", "a=b", "--queue", "m", "--queue", "m"],
        "queue m twice",
        "name every queue once",
    ),
    (&["work", "--exec", "a b=c"], "is not a name that a type can have", "use 1 to 64 of A-Z"),
    (&["work", "--exec", "a=b", "--exec", "a=c"], "type a has two handlers", "one handler a type"),
    (
        &["work", "--exec", "a=b", "--lease", "999ms"],
        "the worker's lease",
        "set --lease to 1 s to 24 h",
    ),
    (
        &["work", "--exec", "a=b", "--lease", "86401"],
        "the worker's lease",
        "set --lease to 1 s to 24 h",
    ),
    (
        &["work", "--exec", "a=b", "--grace", "25h"],
        "the worker's grace",
        "set --grace to 0 to 24 h",
    ),
    (
        &["work", "--exec", "a=b", "--poll", "61s"],
        "the worker's --poll is out",
        "set --poll to 5 ms to 1 min",
    ),
    (
        &["work", "--exec", "a=b", "--worker-id", ""],
        "the --worker-id is empty",
        "1 to 255 printable",
    ),
    (&["work", "--exec", "a=b", "--worker-id", "MARK\n"], "the --worker-id", "1 to 255 printable"),
    (
        &["work", "--exec", "a=b", "--worker-id", "MARK\u{9b}31m"],
        "the --worker-id",
        "1 to 255 printable",
    ),
    (&["jobs", "list", "--error", ""], "it must have 1 to 255 characters", COMMANDS),
    (&["jobs", "release", "--worker", ""], "it must have 1 to 255 characters", COMMANDS),
    (&["demo", "--jobs", "999"], "1000..=5000000", COMMANDS),
    (&["demo", "--jobs", "5000001"], "1000..=5000000", COMMANDS),
    (&["demo", "--tenants", "1"], "2..=500", COMMANDS),
    (&["demo", "--workers", "17"], "2..=16", COMMANDS),
    (&["bench"], "held-snapshot", COMMANDS),
    (&["bench", "drian"], "drain", COMMANDS),
    (&["bench", "drain", "--reps", "0"], "1..=100", COMMANDS),
    (&["bench", "drain", "--reps", "101"], "1..=100", COMMANDS),
    (&["bench", "drain", "--jobs", "0"], "it must be a number from 1 to 1000000000", COMMANDS),
    (&["bench", "drain", "--tenants", "0"], "it must be a number from 1 to 1000000", COMMANDS),
    (&["bench", "drain", "--workers", "0"], "it must be a number from 1 to 64", COMMANDS),
    (&["bench", "drain", "--concurrency", "0"], "it must be a number from 1 to 10000", COMMANDS),
    (&["bench", "drain", "--connections", "9"], "it must be a number from 1 to 8", COMMANDS),
    (&["bench", "drain", "--max-batch", "1001"], "it must be a number from 1 to 1000", COMMANDS),
    (
        &["bench", "drain", "--claim", "0", "--through", "sql"],
        "it must be a number from 1 to 1000",
        COMMANDS,
    ),
    (&["bench", "drain", "--through", "magic"], "possible values: worker, sql", COMMANDS),
    (
        &["bench", "drain", "--history-ranges", "4000000000"],
        "it must be a number from 0 to 1000",
        COMMANDS,
    ),
    (&["bench", "dispatch", "--seconds", "NaN"], "it must be a number from 0.1 to 86400", COMMANDS),
    (&["bench", "dispatch", "--seconds=-1"], "it must be a number from 0.1 to 86400", COMMANDS),
    (&["bench", "dispatch", "--seconds", "inf"], "it must be a number from 0.1 to 86400", COMMANDS),
    (&["bench", "dispatch", "--bulk", "10001"], "it must be a number from 1 to 10000", COMMANDS),
    (&["bench", "dispatch", "--connections", "0"], "it must be a number from 1 to 64", COMMANDS),
    (&["bench", "latency", "--workers", "0"], "it must be a number from 1 to 64", COMMANDS),
    (
        &["bench", "held-snapshot", "--window-ms", "0"],
        "it must be a number from 1 to 3600000",
        COMMANDS,
    ),
    (
        &["bench", "held-snapshot", "--claim", "1001"],
        "it must be a number from 1 to 1000",
        COMMANDS,
    ),
    (&["bench", "fairness", "--scenario", "magic"], "possible values: flood, weights", COMMANDS),
    (&["bench", "fairness", "--claimers", "17"], "it must be a number from 1 to 16", COMMANDS),
    (&["bench", "fairness", "--claims", "10,0"], "it must be a number from 1 to 1000", COMMANDS),
    (&["bench", "trickling", "--rate", "0"], "it must be a number from 0.1 to 1000000", COMMANDS),
    (
        &["bench", "trickling", "--tenants", "5,x"],
        "it must be a number from 1 to 1000000",
        COMMANDS,
    ),
    (&["bench", "everyday", "--dispatchers", "0"], "it must be a number from 1 to 64", COMMANDS),
    (&["bench", "types", "--types", "1001"], "it must be a number from 1 to 1000", COMMANDS),
    (&["bench", "payloads", "--bytes", "59"], "it must be a number from 60 to 1000000", COMMANDS),
    (
        &["bench", "once-used", "--priority", "101"],
        "it must be a number from -100 to 100",
        COMMANDS,
    ),
    (
        &["bench", "slow-transactions", "--connections", "41"],
        "it must be a number from 1 to 40",
        COMMANDS,
    ),
    (
        &["bench", "trickle-cost", "--rates", "100,0"],
        "it must be a number from 0.1 to 100000",
        COMMANDS,
    ),
    (&["bench", "idle", "--workers", "0"], "it must be a number from 1 to 30", COMMANDS),
];

/// What follows `dispatch` with a tenant, a type, and the mark in the metadata.
const DISPATCHES: &[Row] = &[
    (&["--priority", "high"], "--priority", COMMANDS),
    (&["--priority", "99999999999"], "--priority", COMMANDS),
    (&["--max-attempts", "1.5"], "--max-attempts", COMMANDS),
    (&["--delay", "later"], "write it like 250ms, 30s", COMMANDS),
    (&["--delay=-5s"], "it cannot be negative", COMMANDS),
    (&["--delay", "NaN"], "write it like 250ms, 30s", COMMANDS),
    (&["--delay", "9e99d"], "write it like 250ms, 30s", COMMANDS),
    (&["--delay", "99999999999999999d"], "write it like 250ms, 30s", COMMANDS),
    (&["--delay", "1831d"], "delay: must be from 0 to 5 years", "says more"),
    (&["--delay", "5s", "--run-at", "2027-01-01T00:00:00Z"], "cannot be used with", COMMANDS),
    (&["--run-at", "infinity"], "write it like 2027-01-31T09:00:00Z", COMMANDS),
    (&["--run-at", "2027-01-31T09:00:00"], "write it like 2027-01-31T09:00:00Z", COMMANDS),
    (&["--run-at", "2027-02-30T09:00:00Z"], "write it like 2027-01-31T09:00:00Z", COMMANDS),
    (
        &["--run-at", "1960-01-01T00:00:00Z"],
        "--run-at: must be finite, at most 1 day ago",
        "says more",
    ),
    (&["--timeout", "25h"], "timeout: must be from 1 ms to 24 h", "says more"),
    (&["--payload", ""], "--payload is not acceptable JSON: it ends too early", "pass JSON like"),
    (&["--payload", "{\"pin\": MARK}"], "it does not parse (line 1, column 9)", "pass JSON like"),
    (&["--payload", "{\"pin\": \"MARK\""], "it ends too early", "pass JSON like"),
    (&["--payload", "{\"MARK\": 1} x"], "it does not parse", "pass JSON like"),
    (
        &["--payload", "{\"MARK\": 1, \"MARK\": 2}"],
        "an object has the same key twice",
        "pass JSON like",
    ),
    (
        &["--payload", "{\"a\": [{\"MARK\": 1, \"\\u004dARKED-7c1f\": 2}]}"],
        "an object has the same key twice",
        "pass JSON like",
    ),
    (&["--payload", "[\"MARK\", NaN]"], "it does not parse", "pass JSON like"),
    (&["--payload", "[\"MARK\", 01]"], "it does not parse", "pass JSON like"),
    (&["--payload", "[\"MARK\", \"\u{1}\"]"], "it does not parse", "pass JSON like"),
    (&["--payload", "\"MARK \\u0000\""], "payload: holds a NUL or a lone surrogate", "says more"),
    (&["--payload", "\"MARK \\ud800\""], "payload: holds a NUL or a lone surrogate", "says more"),
    (
        &["--payload", "@/no/such/file"],
        "cannot read the file of --payload, /no/such/file",
        "the path of a file",
    ),
    (&["--payload", "@"], "cannot read the file of --payload", "the path of a file"),
    (&["--payload", "@/"], "cannot read --payload: Is a directory", "it must be UTF-8 text"),
    (
        &["--payload", "@/dev/zero"],
        "--payload is larger than 1 MiB",
        "store the document elsewhere",
    ),
    (&["--tag"], "a value is required for '--tag <TAG>'", COMMANDS),
    (&["--unknown", "1"], "unexpected argument '--unknown'", COMMANDS),
];

/// Of `--metadata`, which every other row has already.
const METADATA: &[Row] = &[
    (&["[\"MARK\"]"], "--metadata is not a JSON object", "pass an object"),
    (&["\"MARK\""], "--metadata is not a JSON object", "pass an object"),
    (&["{\"MARK\": 1e400}"], "--metadata is not a JSON object of plain values", "pass an object"),
    (&["{\"MARK\": 1, \"MARK\": 1}"], "an object has the same key twice", "pass JSON like"),
    (&["{\"a\": \"MARK\\u0000\"}"], "metadata: holds a NUL or a lone surrogate", "says more"),
    (&["@/no/such/file"], "cannot read the file of --metadata", "the path of a file"),
];

/// Arguments with the mark in them, and the environment of a call that would come to nothing.
fn call(args: impl IntoIterator<Item = &'static str>) -> std::process::Command {
    let args: Vec<String> = args.into_iter().map(|arg| arg.replace("MARK", MARK)).collect();
    let mut command = fairclaim(args.iter().map(String::as_str));
    command.env("DATABASE_URL", NOWHERE);
    command
}

const DISPATCH: [&str; 5] = ["dispatch", "--tenant", "acme", "--type", "mail"];

#[test]
fn wrong_usage_exits_with_2_and_says_what_would_be_right() {
    for (args, says, hint) in ROWS {
        fails(&mut call(args.iter().copied()), "", 2, says, hint);
    }
}

#[test]
fn a_job_that_cannot_be_is_refused_before_anybody_connects() {
    for (args, says, hint) in DISPATCHES {
        let noted = ["--metadata", "{\"note\": \"MARK\"}"];
        fails(
            &mut call(DISPATCH.into_iter().chain(noted).chain(args.iter().copied())),
            "",
            2,
            says,
            hint,
        );
    }
    for (metadata, says, hint) in METADATA {
        let payload = ["--payload", "{\"pin\": \"MARK\"}", "--metadata"];
        fails(
            &mut call(DISPATCH.into_iter().chain(payload).chain(metadata.iter().copied())),
            "",
            2,
            says,
            hint,
        );
    }
}

#[test]
fn a_usage_line_asks_for_nothing_that_a_variable_gives() {
    let said =
        fails(&mut call(["completions"]), "", 2, "<SHELL>", "`fairclaim completions --help`");
    assert!(said.contains("Usage: fairclaim completions <SHELL>"), "{said}");
}

#[test]
fn a_document_on_stdin_is_read_with_the_same_care() {
    let nested = |levels: usize| format!("{}\"{MARK}\"{}", "[".repeat(levels), "]".repeat(levels));
    for (stdin, says) in [
        (String::new(), "it ends too early"),
        (format!("{{\"{MARK}\": 1, \"{MARK}\": 2}}"), "an object has the same key twice"),
        (nested(129), "it nests deeper than 128 levels"),
        (nested(100_000), "it nests deeper than 128 levels"),
        (format!("\"{MARK}\\udead\""), "payload: holds a NUL or a lone surrogate"),
        (format!("\"{MARK}{}\"", "m".repeat(1_048_564)), "--payload is larger than 1 MiB"),
    ] {
        fails(&mut call(DISPATCH.into_iter().chain(["--payload", "-"])), &stdin, 2, says, "");
    }
    let both = ["--payload", "-", "--metadata", "-"];
    fails(
        &mut call(DISPATCH.into_iter().chain(both)),
        "{}",
        2,
        "cannot both read stdin",
        "put one of them into a file",
    );
    // these are documents like any other: the call goes on, as far as there is a database
    for good in ["-5", "null", "1e400", "\"é\"", "[1, 1]"] {
        let said = fails(
            &mut call(DISPATCH.into_iter().chain(["--payload", good])),
            "",
            1,
            "database unavailable",
            "check that PostgreSQL answers",
        );
        assert!(!said.contains("JSON"), "{good}: {said}");
    }
    fails(
        &mut call(DISPATCH.into_iter().chain(["--payload", "-"])),
        &nested(128),
        1,
        "database unavailable",
        "",
    );
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_wrong_usage() {
    use std::os::unix::ffi::OsStrExt;
    for flag in ["--payload", "--queue", "--tag", "--database-url"] {
        let mut command = call(DISPATCH.into_iter().chain([flag]));
        command.arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        fails(&mut command, "", 2, "invalid UTF-8", COMMANDS);
    }
}
