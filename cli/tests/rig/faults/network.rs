//! Connections that are cut, delayed, silent or refused.

use std::time::Duration;

use rand::Rng;

use super::super::audit::MayFail;
use super::super::crew::{Crew, Orders};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::proxy::{Cut, Manner};
use super::super::{Rig, Size, draws};
use super::kills::goes_on;

/// Connections are cut in the middle of what they carry, in both directions, statements and answers. Bound: nothing lost or
/// doubled; a dispatch without an answer has happened once or not at all.
pub(crate) async fn connections_are_cut(size: Size) {
    let rig = Rig::new().await;
    let mut draws = draws();
    let pace = Pace { url: rig.proxied(), ..Pace::gentle(&rig) };
    let dispatchers = Dispatchers::start(&rig, &pace);
    let crew = Crew::start(&rig, 2, Orders::through_the_proxy(&rig, "5s"));
    for round in 0..size.of(12, 150) {
        rig.until_completed_more(draws.random_range(1..6)).await;
        match round % 6 {
            4 => rig.proxy.cut_all(Cut::Close),
            5 => rig.proxy.cut_all(Cut::Reset),
            _ => rig.proxy.cut_after(draws.random_range(1..6000)),
        }
    }
    goes_on(&rig, &dispatchers).await;
    println!("network: {} connections cut", rig.proxy.cuts());
    rig.close(dispatchers, crew).await.pass("cut connections", MayFail::AFew);
}

/// The network is slow, silent for longer than a lease and than a call may take, or refuses. Bound: nothing lost or doubled, and
/// everybody goes on when it is well again.
pub(crate) async fn the_network_is_ill(size: Size) {
    let rig = Rig::new().await;
    let pace = Pace { url: rig.proxied(), ..Pace::gentle(&rig) };
    let dispatchers = Dispatchers::start(&rig, &pace);
    let crew = Crew::start(&rig, 2, Orders::through_the_proxy(&rig, "3s"));
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
        rig.until_completed_more(10).await;
        rig.proxy.behave(manner);
        if manner == Manner::Refuse {
            rig.proxy.cut_all(Cut::Reset); // those who have a connection need another one
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        rig.proxy.behave(Manner::Pass);
        let took = goes_on(&rig, &dispatchers).await;
        println!("network: {manner:?} for {seconds} s, gone on after {took:.1?}");
    }
    rig.close(dispatchers, crew).await.pass("ill network", MayFail::None);
}
