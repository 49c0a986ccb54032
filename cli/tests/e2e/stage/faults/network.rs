//! Connections that are cut, delayed, silent or refused.

use std::time::Duration;

use rand::Rng;
use tokio_postgres::NoTls;

use super::super::audit::MayFail;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::proxy::{Cut, Manner};
use super::super::workers::{Orders, Workers};
use super::super::{Size, Stage, draws};
use super::kills::goes_on;

const RUNNING: &str = "select count(*) from fairclaim_internal.running";

/// Connections are cut in the middle of what they carry, in both directions, statements and
/// answers. Bound: nothing lost or doubled; a dispatch without an answer has happened once or not
/// at all.
pub(crate) async fn connections_are_cut(size: Size) {
    let stage = Stage::new().await;
    let mut draws = draws();
    let pace = Pace { url: stage.proxied(), ..Pace::gentle(&stage) };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let workers = Workers::start(&stage, 2, Orders::through_the_proxy(&stage, "5s"));
    for round in 0..size.of(12, 150) {
        stage.until_completed_more(draws.random_range(1..6)).await;
        match round % 6 {
            4 => stage.proxy.cut_all(Cut::Close),
            5 => stage.proxy.cut_all(Cut::Reset),
            _ => stage.proxy.cut_after(draws.random_range(1..6000)),
        }
    }
    goes_on(&stage, &dispatchers).await;
    println!("network: {} connections cut", stage.proxy.cuts());
    stage.close(dispatchers, workers).await.pass("cut connections", MayFail::None);
}

/// The connection is lost between a claim and its answer. Bound: what it took is given back at
/// once, long before its lease of ten minutes ends, and costs no loss. With a function that gives
/// nothing back (the control) it stays where it is.
pub(crate) async fn a_claim_without_an_answer(spoiled: bool) {
    let stage = Stage::new().await;
    if spoiled {
        stage.spoil("release_claims", "begin\n", "begin\n  return;\n").await;
    }
    let workers = Workers::start(&stage, 1, Orders::through_the_proxy(&stage, "10m"));
    stage.until_completed_of(&stage.dispatch_one().await).await;
    let (client, link) = tokio_postgres::connect(&stage.server.url, NoTls).await.unwrap();
    let link = tokio::spawn(link);
    // its next claim waits, and sees the job that is dispatched meanwhile
    let lock = "set role fairclaim_owner; begin;
      lock table fairclaim_internal.ready in share row exclusive mode; reset role";
    client.batch_execute(lock).await.unwrap();
    let sql = "select fairclaim.dispatch_job(fairclaim.tenant_uuid('acme'), 'job')::text";
    let id: String = client.query_one(sql, &[]).await.unwrap().get(0);
    stage.until("select count(*) from pg_locks where relation = 'fairclaim_internal.ready'::regclass and not granted", 1).await;
    stage.proxy.behave(Manner::Silent);
    client.batch_execute("commit").await.unwrap();
    stage.until(RUNNING, 1).await;
    stage.proxy.cut_all(Cut::Reset);
    stage.proxy.behave(Manner::Pass);
    if spoiled {
        stage.until_completed_of(&stage.dispatch_one().await).await;
        assert_eq!(stage.number(RUNNING).await, 1, "the control: it waits for its lease");
    } else {
        stage.until_completed_of(&id).await;
        let sql = "select count(*) from fairclaim_internal.attempt_error";
        assert_eq!(stage.number(sql).await, 0, "it counts as lost");
    }
    workers.stop();
    drop(client);
    let _ = link.await;
}

/// The network is slow, silent for longer than a lease and than a call may take, or refuses. Bound:
/// nothing lost or doubled, and everybody goes on when it is well again.
pub(crate) async fn the_network_is_ill(size: Size) {
    let stage = Stage::new().await;
    let pace = Pace { url: stage.proxied(), ..Pace::gentle(&stage) };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let workers = Workers::start(&stage, 2, Orders::through_the_proxy(&stage, "3s"));
    let delay = |millis| Manner::Delay(Duration::from_millis(millis));
    let ill = match size {
        Size::Small => vec![(delay(200), 2), (Manner::Silent, 6), (Manner::Refuse, 2)],
        Size::Large => vec![
            (delay(50), 5),
            (delay(700), 10),
            (Manner::Silent, 2),
            (Manner::Silent, 8),
            (Manner::Silent, 20),
            (Manner::Refuse, 2),
            (Manner::Refuse, 12),
        ],
    };
    for (manner, seconds) in ill {
        stage.until_completed_more(10).await;
        stage.proxy.behave(manner);
        if manner == Manner::Refuse {
            stage.proxy.cut_all(Cut::Reset); // those who have a connection need another one
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        stage.proxy.behave(Manner::Pass);
        let took = goes_on(&stage, &dispatchers).await;
        println!("network: {manner:?} for {seconds} s, gone on after {took:.1?}");
    }
    stage.close(dispatchers, workers).await.pass("ill network", MayFail::None);
}
