//! The launcher of private servers: what is promised about it, on servers of these tests' own.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use private_postgres::{PrivateServer, find_binaries};
use uuid::Uuid;

use crate::support::{connect, waiting::until};

const LIMIT: Duration = Duration::from_secs(20);

async fn start() -> PrivateServer {
    PrivateServer::builder().setting("fsync", "off").start().await.expect("a server")
}

/// Whether a process is there and not merely waiting to be collected by its parent.
fn runs(pid: u32) -> bool {
    let state =
        Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().expect("ps");
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

async fn until_gone(pid: u32, folder: &Path) {
    until("the server and its folder are gone", LIMIT, || async {
        (!runs(pid) && !folder.exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_login_installs_into_its_database_and_the_socket_is_closed_to_others() {
    let server = start().await;
    server.create_login("app", "createrole").await.expect("login");
    server.create_database("app", "app").await.expect("database");
    let client = fairclaim::Client::connect(&server.url("app", "app")).await.expect("connect");
    client.migrate(&fairclaim::MigrateOptions::default()).await.expect("migrate");
    client.pool().close();

    let mode = std::fs::metadata(server.directory()).expect("folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "whoever reaches the socket may log in");
    let app = connect(&server.url("app", "app")).await;
    let row = app
        .query_one(
            "select current_setting('fsync'), current_setting('TimeZone'), current_setting('listen_addresses'),
                    current_setting('server_encoding'), r.rolsuper
               from pg_roles r where r.rolname = current_user",
            &[],
        )
        .await
        .expect("settings");
    let text = |column: usize| row.get::<_, String>(column);
    assert_eq!([text(0), text(1), text(2), text(3)], ["off", "UTC", "", "UTF8"]);
    assert!(!row.get::<_, bool>(4));

    let (pid, folder) = (server.pid().expect("it runs"), server.directory().to_owned());
    drop(server);
    assert!(!runs(pid) && !folder.exists());
}

#[tokio::test]
async fn over_the_loopback_a_login_needs_its_password_and_the_superuser_is_refused() {
    let server = PrivateServer::builder().tcp(true).start().await.expect("a server");
    server.create_login("app", "").await.expect("login");
    server.create_login("own", "password 'of-its-own'").await.expect("login");
    let url = server.tcp_url("postgres", "app").expect("it listens");
    let app = connect(&url).await;
    app.batch_execute("select 1").await.expect("a session");
    connect(&server.url("postgres", "app")).await; // over the socket nobody needs one
    let (before, place) = url.split_once('@').expect("a user");
    let (_, password) = before.rsplit_once(':').expect("a password");
    assert_eq!(password.len(), 32);
    assert!(!format!("{server:?}").contains(password));
    let code = async |user: &str| {
        let url = format!("postgres://{user}@{place}");
        let refused = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err();
        refused.expect("refused").code().map(|code| code.code().to_owned())
    };
    assert_eq!(code("app:guessed").await.as_deref(), Some("28P01"));
    assert_eq!(code("app").await, None, "the driver has nothing to answer with");
    connect(&format!("postgres://own:of-its-own@{place}")).await;
    let superuser = server.superuser_url("postgres");
    let (name, _) = superuser.trim_start_matches("postgres://").split_once('@').expect("a user");
    let url = server.tcp_url("postgres", name).expect("it listens");
    let refused =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err().expect("refused");
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("28000"));
    server.stop().await.expect("stop");
}

#[tokio::test]
async fn what_was_committed_survives_a_killed_server() {
    let server = start().await;
    server.create_login("app", "").await.expect("login");
    server.create_database("app", "app").await.expect("database");
    let app = connect(&server.url("app", "app")).await;
    app.batch_execute("create table kept (n int); insert into kept values (1)")
        .await
        .expect("commit");
    app.batch_execute("begin; insert into kept values (2)").await.expect("no commit");
    server.kill().await.expect("kill");
    assert_eq!(server.pid(), None);
    server.restart().await.expect("restart");
    let app = connect(&server.url("app", "app")).await;
    let sum: i64 = app.query_one("select sum(n) from kept", &[]).await.expect("sum").get(0);
    assert_eq!(sum, 1);
    server.restart().await.expect("a restart of one that runs");
    connect(&server.url("app", "app")).await;
}

#[tokio::test]
async fn a_folder_of_ones_own_stays_and_serves_again() {
    let folder = std::env::temp_dir().join(format!("fc-kept-{}", Uuid::new_v4().simple()));
    let begin = || PrivateServer::builder().dir(&folder).start();
    let server = begin().await.expect("a server");
    server.create_login("app", "").await.expect("login");
    server.stop().await.expect("stop");
    drop(server);
    let server = begin().await.expect("the same data");
    connect(&server.url("postgres", "app")).await;
    drop(server);
    assert!(folder.join("data/PG_VERSION").exists());
    std::fs::remove_dir_all(&folder).expect("remove");
}

/// Where the tests run as root, the server's account could lead a careless launcher to any file of the machine.
#[tokio::test]
async fn the_launcher_writes_nothing_where_the_servers_account_may_not() {
    let folder = std::env::temp_dir().join(format!("fc-kept-{}", Uuid::new_v4().simple()));
    let ours = std::env::temp_dir().join(format!("fc-ours-{}", Uuid::new_v4().simple()));
    std::fs::write(&ours, "as it was").expect("write");
    std::fs::set_permissions(&ours, PermissionsExt::from_mode(0o600)).expect("close");
    let owner = std::fs::metadata(&ours).expect("ours").uid();
    let begin = || PrivateServer::builder().dir(&folder).start();
    let server = begin().await.expect("a server");
    let account = std::fs::metadata(folder.join("data")).expect("data").uid();
    for file in ["server.log", "data/pg_hba.conf", "data/fairclaim.conf"] {
        assert_eq!(std::fs::metadata(folder.join(file)).expect(file).uid(), account, "{file}");
    }
    server.stop().await.expect("stop");
    drop(server);
    if account != owner {
        for file in ["data/fairclaim.conf", "server.log"] {
            let (path, aside) = (folder.join(file), folder.join("aside"));
            std::fs::rename(&path, &aside).expect("aside");
            std::os::unix::fs::symlink(&ours, &path).expect("link");
            let error = begin().await.expect_err("refused");
            assert!(!error.to_string().contains("as it was"), "{file}: {error}");
            assert_eq!(std::fs::read_to_string(&ours).expect("ours"), "as it was", "{file}");
            assert_eq!(std::fs::metadata(&ours).expect("ours").uid(), owner, "{file}");
            std::fs::remove_file(&path).expect("unlink");
            std::fs::rename(&aside, &path).expect("back");
        }
        begin().await.expect("a server again");
    }
    std::fs::remove_dir_all(&folder).expect("remove");
    std::fs::remove_file(&ours).expect("remove");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let error = PrivateServer::builder()
        .setting("shared_buffers", "none")
        .start()
        .await
        .expect_err("refused");
    assert!(error.to_string().contains("shared_buffers"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn the_programs_are_found_without_a_download() {
    let binaries = find_binaries(true).expect("PostgreSQL is installed where these tests run");
    assert!(binaries.major() >= 15 && binaries.directory().join("initdb").exists());
}

#[tokio::test]
#[ignore = "needs the network: downloads a version that is not installed, unless it is cached"]
async fn another_version_is_downloaded_by_its_hash() {
    let server = PrivateServer::builder().major_version(18).start().await.expect("a server");
    assert_eq!(server.binaries().major(), 18);
    println!("{}", server.binaries());
}

/// Runs this very program as a second process that holds a server, kills it with SIGKILL, and looks what is left.
#[tokio::test]
async fn a_server_ends_when_its_program_was_killed() {
    let mut holder = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "private_server::holds_a_server", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let output = BufReader::new(holder.stdout.take().expect("piped"));
    let line = output
        .lines()
        .map(|line| line.expect("text"))
        .find(|line| line.contains("holding "))
        .expect("it starts a server");
    let (_, held) = line.split_once("holding ").expect("found");
    let (pid, folder) = held.split_once(' ').expect("number and folder");
    let (pid, folder) = (pid.parse().expect("a number"), PathBuf::from(folder));
    assert!(runs(pid) && folder.exists());
    holder.kill().expect("kill");
    holder.wait().expect("wait");
    until_gone(pid, &folder).await;
}

#[tokio::test]
#[ignore = "the process that a_server_ends_when_its_program_was_killed starts"]
async fn holds_a_server() {
    let server = start().await;
    println!("holding {} {}", server.pid().expect("it runs"), server.directory().display());
    tokio::time::sleep(Duration::from_secs(300)).await;
}
