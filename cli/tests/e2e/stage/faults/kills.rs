//! Processes that die: workers, sessions of the server, the whole server.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::super::audit::MayFail;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers};
use super::super::{COMPLETED, Size, Stage, draws, signal};

/// Bound: after the return of the server both sides go on by themselves. The promise is 5 s; what a
/// run saw is printed, and a busy machine may take longer before the test fails.
pub(crate) const GOES_ON_WITHIN: Duration = Duration::from_secs(5);
const FAILS_AFTER: Duration = Duration::from_secs(60);

/// Workers are killed at random. Bound: nothing lost or doubled; every job ends.
pub(crate) async fn workers_die(size: Size) {
    let stage = Stage::new().await;
    let mut draws = draws();
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let mut workers = Workers::start(&stage, 3, Orders::plain(&stage, "2s"));
    for _ in 0..size.of(6, 60) {
        stage.until_completed_more(draws.random_range(1..10)).await;
        workers.kill_one(&mut draws);
    }
    let deaths = workers.deaths;
    let audit = stage.close(dispatchers, workers).await;
    audit.pass("workers killed", MayFail::AFew);
    println!("workers killed: {deaths} kill -9");
    assert!(audit.losses > 0, "no killed worker held anything");
}

/// How a server dies.
#[derive(Debug, Clone, Copy)]
enum End {
    /// One of its processes is killed, and it starts again by itself.
    Process,
    /// Its first process is killed; the others end when they notice.
    First,
    /// An immediate stop, without a checkpoint.
    Immediate,
}

/// Workers and the server are killed at random, under dispatchers that look up what they do not
/// know. Bound: nothing lost or doubled, and everybody goes on by himself.
pub(crate) async fn everything_dies(size: Size) {
    let stage = Stage::new().await;
    let mut draws = draws();
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let mut workers = Workers::start(&stage, 3, Orders::plain(&stage, "5s"));
    let ends = [End::First, End::Immediate, End::Process];
    let (kills, servers) = size.of((1, 3), (3, 54));
    let mut slowest = Duration::ZERO;
    for end in ends.into_iter().cycle().take(servers) {
        for _ in 0..kills {
            stage.until_completed_more(draws.random_range(1..10)).await;
            workers.kill_one(&mut draws);
        }
        stage.until_completed_more(draws.random_range(1..10)).await;
        // so that it dies in the middle of dispatches too
        let _urge = dispatchers.urge();
        tokio::time::sleep(Duration::from_millis(draws.random_range(0..200))).await;
        kill(&stage, end, &mut draws).await;
        slowest = slowest.max(goes_on(&stage, &dispatchers).await);
    }
    println!(
        "all killed: {} workers, {servers} times the server; gone on after at most {slowest:.1?}",
        workers.deaths
    );
    stage.close(dispatchers, workers).await.pass("all killed", MayFail::AFew);
}

async fn kill(stage: &Stage, end: End, draws: &mut StdRng) {
    let server = &stage.server.postgres;
    match end {
        End::Process => {
            let sql = "select pid from pg_stat_activity where pid <> pg_backend_pid() order by pid";
            let processes = stage.ask(sql, &[]).await;
            let pid: i32 = processes[draws.random_range(0..processes.len())].get(0);
            signal("KILL", pid.unsigned_abs()); // it may just have ended
            return;
        }
        End::First => server.kill().await.unwrap(),
        End::Immediate => assert!(signal("QUIT", server.pid().unwrap())),
    }
    tokio::time::sleep(Duration::from_millis(draws.random_range(0..1500))).await;
    server.restart().await.unwrap();
}

/// How long it takes from when the server answers until a job is completed and a dispatch answered.
pub(super) async fn goes_on(stage: &Stage, dispatchers: &Dispatchers) -> Duration {
    went_on(stage, dispatchers, FAILS_AFTER)
        .await
        .unwrap_or_else(|still| panic!("{FAILS_AFTER:?} after the end of the fault: {still:?}"))
}

/// Who stands still at the end of a limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StandStill {
    pub(super) workers: bool,
    pub(super) dispatchers: bool,
}

/// The same with any limit, for those who expect that it is not met.
pub(super) async fn went_on(
    stage: &Stage,
    dispatchers: &Dispatchers,
    within: Duration,
) -> Result<Duration, StandStill> {
    let completed = stage.number(COMPLETED).await;
    let (back, answered) = (Instant::now(), dispatchers.answered());
    let _urge = dispatchers.urge();
    let mut still = StandStill { workers: true, dispatchers: true };
    while still.workers || still.dispatchers {
        if back.elapsed() >= within {
            return Err(still);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        still.workers &= stage.number(COMPLETED).await <= completed;
        still.dispatchers &= dispatchers.answered() <= answered;
    }
    Ok(back.elapsed())
}

/// The server is stopped and comes back after a while, long enough for everybody's pauses to have
/// grown. Bound: workers and dispatchers go on within [`GOES_ON_WITHIN`] of its return.
pub(crate) async fn the_server_restarts(size: Size) {
    let stage = Stage::new().await;
    let mut draws = draws();
    // more than can be done meanwhile, so that there is always something to complete
    let backlog = size.of(150, 300);
    let pace = Pace { backlog, ahead: Some(2 * backlog), ..Pace::gentle(&stage) };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "30s"));
    let mut slowest = Duration::ZERO;
    let away: &[u64] = size.of(&[6], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 20]);
    for seconds in away {
        stage.until_completed_more(20).await;
        let _urge = dispatchers.urge();
        stage.server.postgres.stop().await.unwrap();
        let more = Duration::from_millis(draws.random_range(0..1000));
        tokio::time::sleep(Duration::from_secs(*seconds) + more).await;
        stage.server.postgres.restart().await.unwrap();
        let took = goes_on(&stage, &dispatchers).await;
        println!("restart: away for {seconds} s and {more:.1?}, gone on after {took:.2?}");
        slowest = slowest.max(took);
    }
    let verdict = if slowest <= GOES_ON_WITHIN { "within" } else { "NOT within" };
    println!("restart: {} times, slowest {slowest:.2?}, {verdict} {GOES_ON_WITHIN:?}", away.len());
    stage.close(dispatchers, workers).await.pass("restart", MayFail::None);
}
