//! The clock of a worker's machine is wrong by an hour.

use std::path::PathBuf;

use super::super::audit::Audit;
use super::super::crew::{Crew, Orders, booked};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::{Rig, Size};

/// Where Debian puts it; `FAKETIME_LIBRARY` names another place.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

fn library() -> Option<PathBuf> {
    let named = std::env::var_os("FAKETIME_LIBRARY").map(PathBuf::from);
    named.into_iter().chain(LIBRARIES.map(PathBuf::from)).find(|path| path.exists())
}

/// One worker an hour ahead, one an hour behind, and a dispatcher an hour ahead that asks for a delay. Bound: no lease is lost, no
/// job runs early or an hour late.
pub(crate) async fn clocks_are_wrong(size: Size) {
    let Some(library) = library() else {
        println!("wrong clocks: NOT RUN, it needs libfaketime: apt-get install faketime");
        return;
    };
    let rig = Rig::new().await;
    let dates = rig.log("dates");
    let wrong = |offset: &str| {
        let library = library.display().to_string();
        [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME", offset),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let work = format!("date +%s >> {}; sleep 1.5", dates.display());
    let orders = |offset| Orders {
        handlers: vec![format!("job={}", booked(&rig, &work))],
        environment: wrong(offset),
        // shorter than the work, so that heartbeats count
        ..Orders::plain(&rig, "1s")
    };
    let pace = Pace {
        count: 1,
        most: 1,
        pause: std::time::Duration::from_millis(500),
        backlog: size.of(20, 60),
        ..Pace::gentle(&rig)
    };
    let dispatchers = Dispatchers::start(&rig, &pace);
    let ahead = Crew::start(&rig, 1, orders("+1h"));
    let behind = Crew::start(&rig, 1, orders("-1h"));
    let mut dispatch =
        rig.place.fairclaim(["dispatch", "--tenant", "acme", "--type", "job", "--delay", "3s"]);
    let output = dispatch.envs(wrong("+1h")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).unwrap();
    let delay = "select extract(epoch from run_at - created_at)::float8 from fairclaim.job where id = $1::text::uuid";
    let delay: f64 = rig.ask(delay, &[&id.trim()]).await[0].get(0);
    assert!((2.0..10.0).contains(&delay), "a delay of 3 s became {delay} s");
    rig.until_completed_more(size.of(30, 120)).await;
    dispatchers.finish().await;
    rig.until_all_ended().await;
    ahead.stop();
    behind.stop();
    let now: f64 =
        rig.ask("select extract(epoch from clock_timestamp())::float8", &[]).await[0].get(0);
    let text = std::fs::read_to_string(dates).unwrap();
    let off: Vec<f64> = text.lines().map(|line| line.parse::<f64>().unwrap() - now).collect();
    assert!(
        off.iter().any(|off| *off > 2400.0) && off.iter().any(|off| *off < -2400.0),
        "no clock was wrong"
    );
    let audit = Audit::of(&rig).await;
    audit.pass("wrong clocks");
    println!("wrong clocks: {} leases lost", audit.losses);
}
