//! Errors of the server that pass: collisions, orders to leave, no more room for connections.

use std::time::{Duration, Instant};

use private_postgres::PrivateServer;
use tokio_postgres::NoTls;

use super::super::audit::MayFail;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers};
use super::super::{PATIENCE, Size, Stage, draws};
use super::kills::goes_on;

/// One in so many statements that touch these tables fails, with one of the errors that a server
/// may answer at any time.
const TROUBLE: &str = "
create function fairclaim.trouble() returns trigger language plpgsql as $$
begin
  if random() * 12 < 1 then
    raise exception 'injected' using errcode =
      (array['40001', '40P01', '57P01', '57014', '53300', '53200', '55P03'])[1 + floor(random() * 7)::int];
  end if;
  return null;
end
$$;
create trigger trouble after insert on fairclaim_internal.job for each statement execute function fairclaim.trouble();
create trigger trouble_claim after insert on fairclaim_internal.running for each statement execute function fairclaim.trouble();
create trigger trouble_heart after update on fairclaim_internal.running for each statement execute function fairclaim.trouble();
create trigger trouble_end after delete on fairclaim_internal.running for each statement execute function fairclaim.trouble();
create trigger trouble_ready after delete on fairclaim_internal.ready for each statement execute function fairclaim.trouble();
";

/// Bound: whatever fails with an error that may pass is repeated; nothing lost or doubled.
pub(crate) async fn errors_that_pass(size: Size) {
    let stage = Stage::new().await;
    stage.as_owner(TROUBLE).await;
    // many calls, so that many fail
    let pace = Pace { pause: Duration::from_millis(50), ..Pace::gentle(&stage) };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "5s"));
    stage.until_completed_more(size.of(150, 1500)).await;
    let failures = workers.said("a call failed and will be repeated");
    println!("injected errors: {failures} calls of workers failed");
    let audit = stage.close(dispatchers, workers).await;
    audit.pass("injected errors", MayFail::None);
    assert!(failures > 0, "no call failed");
}

/// Somebody takes every connection that the server has, and a worker dies meanwhile. Bound:
/// everybody goes on when there is room.
pub(crate) async fn no_more_connections(size: Size) {
    let server = PrivateServer::builder().setting("max_connections", "30");
    let stage = Stage::on(server).await;
    let mut draws = draws();
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let mut workers = Workers::start(&stage, 2, Orders::plain(&stage, "2s"));
    for _ in 0..size.of(1, 8) {
        stage.until_completed_more(10).await;
        let hogs = take_all(&stage.server.url).await;
        workers.kill_one(&mut draws);
        for _ in 0..size.of(20, 35) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            workers.revive();
        }
        // what the dead worker left is taken too
        let more = take_all(&stage.server.url).await;
        println!("connections: {} taken, then {} more", hogs.len(), more.len());
        drop((hogs, more));
        let freed = Instant::now();
        while stage.number("select count(distinct worker_id) from fairclaim_internal.running").await
            < 2
        {
            assert!(freed.elapsed() < PATIENCE, "the worker never came back");
            tokio::time::sleep(Duration::from_millis(50)).await;
            workers.revive();
        }
        goes_on(&stage, &dispatchers).await;
    }
    println!("connections: {} workers died of it or were killed", workers.deaths);
    stage.close(dispatchers, workers).await.pass("no connections", MayFail::AFew);
}

/// Opens sessions until the server refuses.
async fn take_all(url: &str) -> Vec<(tokio_postgres::Client, Ends)> {
    let mut taken = Vec::new();
    while let Ok((client, link)) = tokio_postgres::connect(url, NoTls).await {
        taken.push((client, Ends(tokio::spawn(async { drop(link.await) }))));
    }
    taken
}

struct Ends(tokio::task::JoinHandle<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}
