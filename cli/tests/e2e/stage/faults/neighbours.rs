//! What administrators do to a database that is in use: locks, rebuilds, dumps.

use std::process::{Command, Stdio};

use super::super::audit::MayFail;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers};
use super::super::{Size, Stage, not_run};
use super::kills::goes_on;

const TABLES: [&str; 6] = ["ready", "running", "job", "finished", "lane", "tick_state"];
const MODES: [&str; 5] =
    ["row exclusive", "share", "share row exclusive", "exclusive", "access exclusive"];

/// Somebody locks the tables of the queue and goes for coffee. Bound: everybody waits or goes on
/// meanwhile, and goes on afterwards; nothing lost or doubled.
pub(crate) async fn tables_are_locked(size: Size) {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "3s"));
    let short = TABLES.into_iter().flat_map(|table| MODES.map(|mode| (table, mode, 0.5)));
    let all: Vec<_> = match size {
        Size::Small => vec![("ready", "share", 1.0), ("running", "access exclusive", 5.0)],
        // longer than a lease, and than a call of a worker may take
        Size::Large => short
            .chain(TABLES.map(|table| (table, "access exclusive", 4.0)))
            .chain([("running", "access exclusive", 15.0), ("ready", "exclusive", 15.0)])
            .collect(),
    };
    for &(table, mode, seconds) in &all {
        stage.until_completed_more(3).await;
        stage.as_owner(&format!(
            "begin; lock table fairclaim_internal.{table} in {mode} mode; select pg_sleep({seconds}); commit"
        ))
        .await;
        goes_on(&stage, &dispatchers).await;
    }
    println!("locks: {} of them", all.len());
    stage.close(dispatchers, workers).await.pass("locks", MayFail::None);
}

/// Tables and indexes are rebuilt, and the database is dumped, all the time. Bound: nothing lost or
/// doubled.
pub(crate) async fn tables_are_rebuilt(size: Size) {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "5s"));
    let tables: &[&str] = size.of(&TABLES[..2], &TABLES);
    let rounds = size.of(1, 4);
    for _ in 0..rounds {
        for table in tables {
            stage.as_owner(&format!("vacuum full fairclaim_internal.{table}")).await;
            stage.until_completed_more(2).await;
            stage.as_owner(&format!("reindex table concurrently fairclaim_internal.{table}")).await;
            stage.until_completed_more(2).await;
        }
        dump(&stage).await;
        stage.as_owner(
            "analyze fairclaim_internal.ready, fairclaim_internal.running, fairclaim_internal.lane",
        )
        .await;
        goes_on(&stage, &dispatchers).await;
    }
    println!("rebuilt: {} times each of {} tables, and a dump", rounds, tables.len());
    stage.close(dispatchers, workers).await.pass("rebuilt tables", MayFail::None);
}

/// `pg_dump` as the owner of the tables, where there is one on the path.
async fn dump(stage: &Stage) {
    let url = stage.server.url.clone();
    let dumped = tokio::task::spawn_blocking(move || {
        Command::new("pg_dump")
            .args(["--role", "fairclaim_owner", "--enable-row-security", "--schema", "fairclaim"])
            .args(["--dbname", &url])
            .stdout(Stdio::null())
            .output()
    });
    match dumped.await.unwrap() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => not_run("dump", &format!("pg_dump ({error})")),
    }
}
