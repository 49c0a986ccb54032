//! The examples of `examples/` and the SQL of the guide, run as a reader of the guide would run
//! them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use crate::support::binary::{PATIENCE, TestServer, start, stderr};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The newest change of any file in a folder.
fn changed(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let times = entries.map(|path| {
        if path.is_dir() { changed(&path) } else { path.metadata().unwrap().modified().unwrap() }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The folder of the built examples. Whoever builds all tests has built them too; else they are
/// built now.
fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = env::current_exe().unwrap();
        let [folder, target] = [2, 3].map(|n| test.ancestors().nth(n).unwrap());
        let folder = folder.join("examples");
        let sources = ["src", "sql", "examples"].map(|name| changed(&Path::new(ROOT).join(name)));
        let built = folder.join("first_worker").metadata().and_then(|built| built.modified());
        if built.is_ok_and(|built| sources.iter().all(|source| *source < built)) {
            return folder;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--examples", "--package", "fairclaim", "--target-dir"]);
        let output = start(cargo.arg(target).current_dir(ROOT)).end();
        assert!(output.status.success(), "{}", stderr(&output));
        folder
    })
}

/// What an example prints on a database of its own.
async fn prints(example: &str) -> String {
    let server = TestServer::bare().await;
    let mut command = Command::new(examples().join(example));
    let output = start(command.env("DATABASE_URL", &server.url)).end();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", stderr(&output));
    stdout
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_worker_runs_what_is_dispatched() {
    let stdout = prints("first_worker").await;
    let mails = [7, 8, 9].map(|user| format!("user {user}: attempt 1 of 25"));
    assert_eq!(sorted(&stdout), [&["3 jobs completed".to_owned()][..], &mails].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_shares_the_transaction_of_its_order_and_of_its_invoice() {
    assert_eq!(prints("own_transaction").await, "1 order, 1 invoice\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_end_as_their_handlers_say() {
    let expected = "good, 12: completed after 1 attempts, code -
stolen, 12: failed after 1 attempts, code stolen_card
busy, 12: completed after 2 attempts, code -
later, 12: completed after 2 attempts, code -
closed, 12: cancelled after 1 attempts, code cancelled
good, 12 \u{20ac}: scheduled after 1 attempts, code -
";
    assert_eq!(prints("errors_and_retries").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_and_a_cancelled_job_stops() {
    let expected = "told to stop\nthe endless report: cancelled\nreports written: 1\n";
    assert_eq!(prints("state_and_shutdown").await, expected);
}

/// A program that is not there fails the test, so that nobody takes it for passed, unless that was
/// allowed.
fn installed(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&paths).any(|folder| folder.join(program).exists()) {
        return true;
    }
    assert!(
        env::var_os("FAIRCLAIM_MAY_SKIP").is_some_and(|value| !value.is_empty()),
        "NOT RUN, it needs {program}; FAIRCLAIM_MAY_SKIP=1 goes on without"
    );
    println!("NOT RUN, it needs {program}");
    false
}

/// A folder in which a client's packages are installed once, for all later runs of this version of
/// the example.
fn prepared(language: &str, install: impl Fn(&Path, &Path)) -> (PathBuf, PathBuf) {
    let source = Path::new(ROOT).join("examples").join(language);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(language);
    let is_ready = folder.join("ready").metadata().and_then(|ready| ready.modified());
    if is_ready.is_ok_and(|ready| ready > changed(&source)) {
        return (source, folder);
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    install(&source, &folder);
    fs::write(folder.join("ready"), "").unwrap();
    (source, folder)
}

fn run(command: &mut Command) {
    let output = start(command).end();
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_worker_does_all_that_a_worker_has_to() {
    if !installed("python3") {
        return;
    }
    let (source, folder) = prepared("python", |source, folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let mut pip = Command::new(folder.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--requirement"]).arg(source.join("requirements.txt")));
    });
    let mut worker = Command::new(folder.join("bin/python"));
    works(worker.arg(source.join("worker.py")), "KeyError").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typescript_worker_does_all_that_a_worker_has_to() {
    if !installed("node") || !installed("npm") {
        return;
    }
    let (_, folder) = prepared("typescript", |source, folder| {
        for file in ["package.json", "worker.ts"] {
            fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        run(Command::new("npm").args(["install", "--silent"]).current_dir(folder));
    });
    let mut worker = Command::new("node");
    works(worker.args(["--import", "tsx", "worker.ts"]).current_dir(folder), "handler").await;
}

/// Two tenants; one job that fails, one whose result the database cannot store (`YQBi` is a NUL
/// between two letters), and one that is due in half a second, so that it needs a tick.
const JOBS: &str = r#"
    select fairclaim.dispatch_job(p_tenant => t.name, p_type => 'welcome_mail',
                                  p_payload => jsonb_build_object('user', n))
      from unnest('{acme,bolt}'::text[]) t(name), generate_series(1, 12) n;
    select fairclaim.dispatch_job(p_tenant => 'acme', p_type => 'welcome_mail',
                                  p_max_attempts => 1);
    select fairclaim.dispatch_job(p_tenant => 'bolt', p_type => 'read_attachment',
                                  p_payload => '{"base64": "YQBi"}');
    select fairclaim.dispatch_job(p_tenant => 'bolt', p_type => 'read_attachment',
                                  p_payload => '{"base64": "YWI="}', p_delay => 0.5);
"#;

const ONE_MORE: &str = r#"
    select fairclaim.dispatch_job(p_tenant => 'acme', p_type => 'welcome_mail',
                                  p_payload => '{"user": 7}');
"#;

const ENDS: &str = "
    select concat_ws(' ', count(*), j.type, j.status, j.attempts, j.result, j.error ->> 'code')
      from fairclaim.job_queue j
     group by j.type, j.status, j.attempts, j.result, j.error ->> 'code' order by 1";

async fn lines(server: &TestServer, sql: &str) -> Vec<String> {
    let connection = server.client.pool().get().await.unwrap();
    connection.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Installs by plain SQL, runs a worker of another language on some jobs, and looks what has become
/// of them.
async fn works(worker: &mut Command, code_of_a_failure: &str) {
    let server = TestServer::bare().await;
    let connection = server.client.pool().get().await.unwrap();
    let install = fs::read_to_string(Path::new(ROOT).join("sql/fairclaim.sql")).unwrap();
    connection.batch_execute(&install).await.unwrap();
    let grant =
        "grant fairclaim_producer, fairclaim_worker, fairclaim_operator, fairclaim_auditor to app";
    connection.batch_execute(grant).await.unwrap();
    connection.batch_execute(JOBS).await.unwrap();

    let worker = start(worker.env("DATABASE_URL", &server.url));
    let deadline = Instant::now() + PATIENCE;
    let mut expected = vec![
        "1 read_attachment completed 1 \"ab\"".to_owned(),
        "1 read_attachment failed 1 result_invalid".to_owned(),
        format!("1 welcome_mail failed 1 {code_of_a_failure}"),
        "24 welcome_mail completed 1 {\"sent\": true}".to_owned(),
    ];
    for round in ["at first", "after it had slept"] {
        while lines(&server, ENDS).await != expected {
            let now = lines(&server, ENDS).await.join("\n");
            assert!(Instant::now() < deadline, "{round}, this is what became of the jobs:\n{now}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if round == "at first" {
            connection.batch_execute(ONE_MORE).await.unwrap();
            "25 welcome_mail completed 1 {\"sent\": true}".clone_into(&mut expected[3]);
        }
    }
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// What a reader fills in, and an id that no job has.
const PLACES: [&str; 2] = ["<id>", "<lease_token>"];
const NO_ID: &str = "01990000-0000-7000-8000-000000000000";

/// The blocks of SQL in a page, but those that are marked as `sql,no_run`.
fn blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```sql\n").skip(1);
    blocks.map(|rest| rest.split_once("```").expect("an end of the block").0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sql_of_the_guide_runs_as_it_stands_there() {
    let server = TestServer::installed().await;
    let mut ran = 0;
    let pages = fs::read_dir(Path::new(ROOT).join("docs/guide")).unwrap();
    let mut pages: Vec<PathBuf> = pages.map(|page| page.unwrap().path()).collect();
    pages.sort();
    pages.push(Path::new(ROOT).join("README.md"));
    for page in pages {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            let connection = server.client.pool().get().await.unwrap();
            let statements =
                PLACES.iter().fold(block.to_owned(), |sql, place| sql.replace(place, NO_ID));
            let done = connection.batch_execute(&statements).await;
            done.unwrap_or_else(|error| panic!("{}: {error:?}\n{block}", page.display()));
            ran += 1;
        }
    }
    assert!(ran >= 5, "only {ran} blocks were found");
}
