//! The clock of a worker's machine is wrong by an hour.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::audit::{Audit, MayFail};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers, booked};
use super::super::{Size, Stage, not_run};

/// Where Debian puts it; `FAKETIME_LIBRARY` names another place.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// Where it is installed, else Debian's package unpacked beside the logs, which installs nothing.
fn library(folder: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("FAKETIME_LIBRARY").map(PathBuf::from);
    let unpacked = LIBRARIES.map(|path| folder.join(path.trim_start_matches('/')));
    let all: Vec<_> =
        named.into_iter().chain(LIBRARIES.map(PathBuf::from)).chain(unpacked).collect();
    let found = || all.iter().find(|path| path.exists()).cloned();
    found().or_else(|| {
        std::fs::create_dir(folder).unwrap();
        let unpack = "apt-get download libfaketime && dpkg -x libfaketime*.deb .";
        let _ = Command::new("sh").args(["-c", unpack]).current_dir(folder).output();
        found()
    })
}

/// The environment of a process whose clock is wrong.
fn wrong(library: &Path, offset: &str) -> Vec<(String, String)> {
    let library = library.display().to_string();
    [("LD_PRELOAD", library.as_str()), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// Dispatches one job by the command, as a machine with this environment does; how many seconds
/// after its dispatch it is due.
async fn delay(stage: &Stage, environment: Vec<(String, String)>, due: [&str; 2]) -> (String, f64) {
    let mut dispatch = stage.server.fairclaim(["dispatch", "--tenant", "acme", "--type", "job"]);
    let output = dispatch.args(due).envs(environment).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let delay = "select extract(epoch from run_at - created_at)::float8 from fairclaim_internal.job where id = $1::text::uuid";
    let delay = stage.ask(delay, &[&id]).await[0].get(0);
    (id, delay)
}

/// Negative control: a job that is due at a time of the wrong clock is due an hour late, and that
/// is seen.
pub(crate) async fn a_clock_that_is_believed_is_seen() {
    let stage = Stage::new().await;
    let Some(library) = library(&stage.log("faketime")) else {
        return not_run("a believed clock", "libfaketime: apt-get install faketime");
    };
    let ahead = wrong(&library, "+1h");
    let mut date = Command::new("date");
    let now = date.args(["-u", "+%FT%TZ"]).envs(ahead.clone()).output().unwrap();
    let now = String::from_utf8(now.stdout).unwrap();
    let (_, delay) = delay(&stage, ahead, ["--run-at", now.trim()]).await;
    assert!(delay > 3000.0, "due after {delay} s by a clock that is an hour ahead");
}

/// One worker an hour ahead, one an hour behind, and a dispatcher an hour ahead that asks for a
/// delay. Bound: no lease is lost, no job runs early or an hour late.
pub(crate) async fn clocks_are_wrong(size: Size) {
    let stage = Stage::new().await;
    let Some(library) = library(&stage.log("faketime")) else {
        return not_run("wrong clocks", "libfaketime: apt-get install faketime");
    };
    let dates = stage.log("dates");
    let work = format!("date +%s >> {}; sleep 4", dates.display());
    let orders = |offset| Orders {
        handlers: vec![format!("job={}", booked(&stage, &work))],
        environment: wrong(&library, offset),
        // shorter than the work, so that heartbeats count
        ..Orders::plain(&stage, "3s")
    };
    let pace = Pace {
        count: 1,
        most: 1,
        pause: std::time::Duration::from_millis(500),
        backlog: size.of(10, 60),
        ..Pace::gentle(&stage)
    };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let ahead = Workers::start(&stage, 1, orders("+1h"));
    let behind = Workers::start(&stage, 1, orders("-1h"));
    let (id, delay) = delay(&stage, wrong(&library, "+1h"), ["--delay", "3s"]).await;
    assert!((2.0..10.0).contains(&delay), "a delay of 3 s became {delay} s");
    stage.until_completed_more(size.of(12, 60)).await;
    dispatchers.finish().await;
    stage.until_all_ended().await;
    ahead.stop();
    behind.stop();
    let now: f64 =
        stage.ask("select extract(epoch from clock_timestamp())::float8", &[]).await[0].get(0);
    let text = std::fs::read_to_string(dates).unwrap();
    let off: Vec<f64> = text.lines().map(|line| line.parse::<f64>().unwrap() - now).collect();
    assert!(
        off.iter().any(|off| *off > 2400.0) && off.iter().any(|off| *off < -2400.0),
        "no clock was wrong"
    );
    let took = "select extract(epoch from f.completed_at - j.run_at)::float8
      from fairclaim_internal.finished f join fairclaim_internal.job j using (id) where j.id = $1::text::uuid";
    let took: f64 = stage.ask(took, &[&id]).await[0].get(0);
    assert!((4.0..1800.0).contains(&took), "the delayed job ended {took} s after it was due");
    let audit = Audit::of(&stage).await;
    audit.pass("wrong clocks", MayFail::None);
    assert_eq!(audit.losses, 0, "leases were lost");
}
