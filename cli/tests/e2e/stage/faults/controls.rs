//! Negative controls: what the audit must find when the product is spoiled on purpose.

use std::time::{Duration, Instant};

use private_postgres::PrivateServer;
use rand::Rng;

use super::super::audit::Audit;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers, booked};
use super::super::{DISPATCHED, PATIENCE, Stage, draws};
use super::frozen;
use super::kills::{self, StandStill};

/// A server that answers before it writes loses what it answered.
pub(crate) async fn answers_before_the_disk_has_them_are_lost() {
    let server = PrivateServer::builder()
        .setting("synchronous_commit", "off")
        .setting("wal_writer_delay", "10s")
        .setting("wal_writer_flush_after", "0");
    let stage = Stage::on(server).await;
    // no workers: somebody else's commit would flush what was answered before
    for _ in 0..20 {
        let pace = Pace {
            backlog: 1,
            most: 2,
            pause: Duration::ZERO,
            ahead: None,
            ..Pace::gentle(&stage)
        };
        let dispatchers = Dispatchers::start(&stage, &pace);
        let before = dispatchers.answered();
        while dispatchers.answered() < before + 50 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stage.server.postgres.kill().await.unwrap();
        drop(dispatchers);
        stage.server.postgres.restart().await.unwrap();
        let audit = Audit::of(&stage).await;
        if audit.finds("an answered dispatch is lost") {
            return audit.must_find("an answered dispatch is lost");
        }
    }
    panic!("20 crashes of a server that writes late have lost nothing: the control is blind");
}

/// An application that repeats what has no answer without a look dispatches twice, as soon as a cut
/// comes between a commit and its answer.
pub(crate) async fn repeated_dispatches_are_found() {
    let stage = Stage::new().await;
    let mut draws = draws();
    let pace = Pace {
        url: stage.proxied(),
        pause: Duration::ZERO,
        most: 1,
        backlog: 1,
        ahead: None,
        careful: false,
        ..Pace::gentle(&stage)
    };
    let dispatchers = Dispatchers::start(&stage, &pace);
    let twice = "select count(*) - count(distinct payload ->> 'mark') from fairclaim_internal.job";
    let deadline = Instant::now() + PATIENCE;
    while stage.number(twice).await == 0 {
        assert!(Instant::now() < deadline, "no cut fell between a commit and its answer");
        stage.proxy.cut_after(draws.random_range(1..6000));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    drop(dispatchers);
    Audit::of(&stage).await.must_find("a dispatch is there twice");
}

/// A lost lease that is not counted: poison kills one worker after the other, and is never done.
pub(crate) async fn poison_without_an_end_is_found() {
    let stage = Stage::new().await;
    stage.spoil("settle_mixed", "(held.lost + (given.outcome = 'lost')::int)", "held.lost").await;
    stage.dispatch_one().await;
    let poison = format!("job={}; kill -9 $PPID", booked(&stage, ":"));
    let orders = Orders { handlers: vec![poison], ..Orders::plain(&stage, "1s") };
    let mut workers = Workers::start(&stage, 1, orders);
    let deadline = Instant::now() + PATIENCE;
    while stage.number("select count(*) from witness.claim where attempt > 3").await == 0 {
        assert!(Instant::now() < deadline, "it was never claimed a fourth time");
        workers.revive();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(workers);
    Audit::of(&stage).await.must_find("a job has no final fact");
}

/// Workers that are gone, then dispatchers that are gone: whoever looks who goes on after a fault
/// must see it.
pub(crate) async fn who_stands_still_is_seen() {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace { ahead: None, ..Pace::gentle(&stage) });
    let mut workers = Workers::start(&stage, 1, Orders::plain(&stage, "5s"));
    stage.until_completed_more(5).await;
    workers.kill_all();
    // what they had sent when they were killed is done first
    let at_work = "select -count(*) from pg_stat_activity
      where state <> 'idle' and query like '%settle_and_claim%' and pid <> pg_backend_pid()";
    stage.until(at_work, 0).await;
    let within = Duration::from_secs(10);
    let still = kills::went_on(&stage, &dispatchers, within).await;
    assert_eq!(still, Err(StandStill { workers: true, dispatchers: false }));

    let other =
        Workers::start(&stage, 1, Orders { prefix: "other", ..Orders::plain(&stage, "5s") });
    stage.until_completed_more(1).await;
    dispatchers.kill();
    // what they had under way when they were killed is answered first
    tokio::time::sleep(Duration::from_millis(100)).await;
    let still = kills::went_on(&stage, &dispatchers, within).await;
    assert_eq!(still, Err(StandStill { workers: false, dispatchers: true }));
    drop(other);
}

/// Rows of the queue are deleted behind its back: one that waits, a final fact, and the job itself.
pub(crate) async fn deleted_rows_are_found() {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace { count: 1, ..Pace::gentle(&stage) });
    stage.until(DISPATCHED, 100).await;
    dispatchers.finish().await;
    let steal = |table, which| {
        let one =
            format!("select s.id from fairclaim_internal.{table} s order by s.id {which} limit 1");
        format!("delete from fairclaim_internal.{table} t where t.id = ({one})")
    };
    stage.as_owner(&steal("ready", "desc")).await;
    let workers = Workers::start(&stage, 1, Orders::plain(&stage, "5s"));
    let waiting = "select -count(*) from fairclaim_internal.ready";
    let running = "select -count(*) from fairclaim_internal.running";
    assert!(stage.reaches(waiting, 0, PATIENCE).await && stage.reaches(running, 0, PATIENCE).await);
    workers.stop();
    let audit = Audit::of(&stage).await;
    audit.must_find("a job has no final fact");
    assert_eq!(audit.findings.len(), 1, "nothing else is wrong yet: {:?}", audit.findings);

    stage.as_owner(&steal("finished", "asc")).await;
    assert_eq!(Audit::of(&stage).await.findings[0].times, 2);
    stage.as_owner(&steal("job", "asc")).await;
    Audit::of(&stage).await.must_find("an answered dispatch is lost");
}

/// A settlement that names the job and nothing else ends somebody else's attempt.
pub(crate) async fn settlements_without_a_check_are_found() {
    let stage = Stage::new().await;
    let alone = " and running.attempt = p_attempts[1]
         and running.lease_token = p_lease_tokens[1]";
    stage.spoil("settle_jobs", alone, "").await;
    let given = "case when (running.id, running.attempt::int, running.lease_token)";
    stage.spoil("settle_jobs", given, &given.replace("when ", "when true or ")).await;
    let pace = Pace { count: 1, backlog: 4, most: 1, ..Pace::gentle(&stage) };
    let dispatchers = Dispatchers::start(&stage, &pace);
    stage.until(DISPATCHED, 4).await;
    dispatchers.finish().await;
    // the first attempt is short, and its worker stands still when it ends; the second one is under
    // way when it goes on
    let work = "if [ $FAIRCLAIM_ATTEMPT = 1 ]; then sleep 1; else sleep 20; fi";
    let handlers = vec![format!("job={}", booked(&stage, work))];
    let orders = || Orders { handlers: handlers.clone(), ..Orders::plain(&stage, "2s") };
    let first = Workers::start(&stage, 1, orders());
    frozen::freeze(&stage, &first).await;
    let other = Workers::start(&stage, 1, Orders { prefix: "other", ..orders() });
    stage.until("select count(*) from fairclaim_internal.running where attempt = 2", 1).await;
    first.signal(0, "CONT");
    stage.until_all_ended().await;
    first.stop();
    other.stop();
    Audit::of(&stage).await.must_find("an attempt was completed by who did not hold it");
}

/// Leases that are returned twice.
pub(crate) async fn jobs_that_are_returned_twice_are_found() {
    let stage = Stage::new().await;
    let twice = "perform fairclaim_internal.to_ready(array_agg(j.tenant_id), array_agg(j.id), array_agg(1), array_agg(1::smallint), array_agg(1::smallint))
      from fairclaim_internal.job j where j.id = any (v_ids);
      return v_n;";
    stage.spoil("return_expired", "return v_n;", twice).await;
    let dispatchers = Dispatchers::start(&stage, &Pace { count: 1, ..Pace::gentle(&stage) });
    stage.until(DISPATCHED, 100).await;
    dispatchers.finish().await;
    let mut first = Workers::start(&stage, 1, Orders::plain(&stage, "1s"));
    frozen::freeze(&stage, &first).await;
    first.kill_all();
    let other =
        Workers::start(&stage, 1, Orders { prefix: "other", ..Orders::plain(&stage, "1s") });
    stage.until("select count(*) from fairclaim_internal.attempt_error", 1).await;
    stage
        .reaches("select count(*) from fairclaim_internal.finished", 100, Duration::from_secs(5))
        .await;
    drop(other);
    Audit::of(&stage).await.must_find("a job is in two places");
}
