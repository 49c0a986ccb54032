//! NOTIFY: it wakes idle workers, and never slows a busy queue. The clock of these tests stands still.

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, NoTls, Notification};
use uuid::Uuid;

use crate::calls::{claim_job, claim_jobs, dispatch, dispatch_many, tenant, tick};
use crate::support::{Client, TestDb};

/// Stops the test clock: from here on time passes by `advance` alone.
pub(crate) async fn stop_clock(db: &TestDb) {
    let sql = "do $$ begin
                 execute format('create or replace function fairclaim.clock() returns timestamptz
                   language sql volatile security definer set search_path = pg_catalog, pg_temp
                   as $sql$ select %L::timestamptz + t.shift from fairclaim_internal.test_clock t $sql$', clock_timestamp());
               end $$";
    db.owner().await.batch_execute(sql).await.expect("a clock that stands");
}

/// A session that listens, and hears what was sent.
pub(crate) struct Listener {
    session: tokio_postgres::Client,
    heard: UnboundedReceiver<Notification>,
    /// How often workers were told that a job is to be stopped.
    cancels: usize,
}

impl Listener {
    pub(crate) async fn new(db: &TestDb) -> Self {
        let (session, mut connection) =
            tokio_postgres::connect(&db.direct_url("test_worker"), NoTls).await.expect("connect");
        let (tell, heard) = unbounded_channel();
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(|context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    drop(tell.send(notification));
                }
            }
        });
        session.batch_execute("listen fairclaim; listen mark").await.expect("listen");
        Self { session, heard, cancels: 0 }
    }

    /// How often workers were woken since the last call.
    pub(crate) async fn wakes(&mut self) -> usize {
        let (wakes, due) = self.told().await;
        assert_eq!(due, 0, "nobody was told of what will be due");
        wakes
    }

    /// How often workers were woken since the last call, and how often told that something will be due. Notifications come in the
    /// order of their commits, so what was committed before the mark is heard before it.
    pub(crate) async fn told(&mut self) -> (usize, usize) {
        self.session.batch_execute("notify mark").await.expect("notify");
        let mut told = (0, 0);
        loop {
            let notification = self.heard.recv().await.expect("a session that lives");
            if notification.channel() == "mark" {
                return told;
            }
            assert_eq!(notification.channel(), "fairclaim");
            match notification.payload() {
                "" => told.0 += 1,
                "due" => told.1 += 1,
                "cancel" => self.cancels += 1,
                other => panic!("it says {other:?}"),
            }
        }
    }
}

/// A database whose clock stands, with somebody who listens in it.
async fn scene() -> (TestDb, Listener, Client, Client) {
    let db = TestDb::with_test_clock().await;
    stop_clock(&db).await;
    let (listener, producer, worker) =
        (Listener::new(&db).await, db.producer().await, db.worker().await);
    (db, listener, producer, worker)
}

/// Claims until nothing is left, as a worker does before it is idle.
async fn run_dry(worker: &Client) {
    while claim_job(worker, "w").await.is_some() {}
}

#[tokio::test]
async fn a_dispatch_wakes_workers_only_while_one_was_idle_about_a_second_ago() {
    let (db, mut listener, producer, worker) = scene().await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 0, "nobody was ever idle");
    assert!(claim_job(&worker, "w").await.is_some());
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 0, "a worker that has found something is busy");

    run_dry(&worker).await;
    for (later, wakes) in [("0", 1), ("0.5 s", 1), ("0.5 s", 1), ("1 s", 0), ("1 h", 0)] {
        db.advance(later).await;
        dispatch(&producer, tenant(1), "mail").await;
        assert_eq!(listener.wakes().await, wakes, "after another {later}");
    }
    run_dry(&worker).await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 1, "idle again");
}

#[tokio::test]
async fn dispatches_that_come_densely_wake_every_four_milliseconds_after_a_burst() {
    let (db, mut listener, producer, worker) = scene().await;
    run_dry(&worker).await;
    for _ in 0..40 {
        dispatch(&producer, tenant(1), "mail").await;
    }
    dispatch_many(&producer, tenant(2), "default", "mail", 100).await;
    assert_eq!(listener.wakes().await, 25, "a burst");
    for round in 0..3 {
        db.advance("4 ms").await;
        for _ in 0..5 {
            dispatch(&producer, tenant(1), "mail").await;
        }
        assert_eq!(listener.wakes().await, 1, "round {round}");
    }
    db.advance("1 s").await;
    for _ in 0..5 {
        dispatch(&producer, tenant(1), "mail").await;
    }
    assert_eq!(listener.wakes().await, 5, "seldom ones all wake");
}

#[tokio::test]
async fn a_transaction_of_many_dispatches_wakes_once_and_keeps_no_other_from_waking() {
    let (_db, mut listener, mut producer, worker) = scene().await;
    run_dry(&worker).await;
    let other = producer.transaction().await.expect("begin");
    for _ in 0..100 {
        dispatch(&other, tenant(1), "mail").await;
    }
    other.commit().await.expect("commit");
    assert_eq!(listener.wakes().await, 1);
    dispatch(&producer, tenant(2), "mail").await;
    assert_eq!(listener.wakes().await, 1, "it took one place of the burst");

    let undone = producer.transaction().await.expect("begin");
    undone.batch_execute("savepoint a").await.expect("savepoint");
    dispatch(&undone, tenant(1), "mail").await;
    undone.batch_execute("rollback to savepoint a").await.expect("rollback");
    dispatch(&undone, tenant(1), "mail").await;
    undone.commit().await.expect("commit");
    assert_eq!(listener.wakes().await, 1, "what a savepoint undid was told to nobody");
}

/// A claim of a worker that will be idle for so long.
async fn claim_and_rest(worker: &Client, seconds: f64) {
    let claim = "select count(*) from fairclaim.claim_jobs('w', null, 100, p_idle_for => $1)";
    worker.query_one(claim, &[&seconds]).await.expect("claim_jobs");
}

#[tokio::test]
async fn a_worker_that_sleeps_for_long_is_woken_whenever_it_is() {
    let (db, mut listener, producer, worker) = scene().await;
    claim_and_rest(&worker, 0.0).await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 0, "nothing wakes it");
    claim_and_rest(&worker, 60.0).await;
    claim_and_rest(&worker, 60.0).await;
    for (later, wakes) in [("0", 1), ("30 s", 1), ("26 s", 1), ("5 s", 0)] {
        db.advance(later).await;
        dispatch(&producer, tenant(1), "mail").await;
        assert_eq!(listener.wakes().await, wakes, "after another {later}");
    }
}

/// As a worker that says for how long it rests, after a tick that said when to come again.
async fn everybody_rests(worker: &Client) -> f64 {
    claim_and_rest(worker, 60.0).await;
    claim_and_rest(worker, 60.0).await;
    let tick = "select next_tick_in from fairclaim.tick()";
    worker.query_one(tick, &[]).await.expect("tick").get(0)
}

#[tokio::test]
async fn workers_are_told_of_what_is_due_before_they_all_tick_again() {
    let (db, mut listener, producer, worker) = scene().await;
    let delayed = async |seconds: f64| {
        let sql = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + make_interval(secs => $2))";
        producer.query_one(sql, &[&tenant(1), &seconds]).await.expect("dispatch_job");
    };
    delayed(3.0).await;
    assert_eq!(listener.told().await, (0, 0), "nobody is known to rest");
    db.advance("4 s").await;
    tick(&worker).await; // it is put into its lane
    listener.told().await;
    claim_and_rest(&worker, 60.0).await;
    let sql = "select fairclaim_internal.note_look(fairclaim.clock(), '30 s')";
    db.owner().await.batch_execute(sql).await.expect("note_look");
    delayed(3600.0).await;
    assert_eq!(listener.told().await, (0, 0), "they tick before that");
    claim_and_rest(&worker, 60.0).await;
    delayed(10.0).await;
    assert_eq!(listener.told().await, (0, 1), "a delayed job");

    let many = "select from fairclaim.dispatch_jobs(jsonb_build_array(
        jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail', 'run_at', fairclaim.clock() + interval '10 s'),
        jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail', 'run_at', fairclaim.clock() + interval '1 h')))";
    producer.query(many, &[&tenant(1)]).await.expect("dispatch_jobs");
    assert_eq!(listener.told().await, (0, 1), "a delayed job among several");

    let claim = "select count(*) from fairclaim.claim_jobs('w', null, 1, p_lease => extract(epoch from $1::text::interval)::float8)";
    dispatch_many(&producer, tenant(1), "default", "mail", 2).await;
    listener.told().await;
    worker.query_one(claim, &[&"30 s"]).await.expect("claim_jobs");
    assert_eq!(listener.told().await, (0, 0), "a lease that ends when they have ticked");
    worker.query_one(claim, &[&"5 s"]).await.expect("claim_jobs");
    assert_eq!(listener.told().await, (0, 1), "a short lease");
}

#[tokio::test]
async fn a_job_that_is_put_back_wakes_now_or_is_told_to_be_due() {
    let (db, mut listener, producer, worker) = scene().await;
    for (outcome, delay, told) in [("release", None, (1, 0)), ("retry", Some(5.0), (0, 1))] {
        dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, "w").await.expect("a job");
        everybody_rests(&worker).await;
        let sql = "select fairclaim_internal.note_look(fairclaim.clock(), '30 s')";
        db.owner().await.batch_execute(sql).await.expect("note_look");
        listener.told().await;
        let settle = "select kind = 'settled' from fairclaim.settle_jobs('w', array[$1::uuid], array[$2::int], array[$3::uuid], \
                      array[$4::text], p_delays => array[$5::float8])";
        let row = worker
            .query_one(settle, &[&job.id, &job.attempts, &job.token, &outcome, &delay])
            .await
            .expect("settle_jobs");
        assert!(row.get::<_, bool>(0));
        assert_eq!(listener.told().await, told, "{outcome}");
        run_dry(&worker).await;
    }
}

/// Its commit would fail: a worker node of Citus may not notify in a commit of two phases.
#[tokio::test]
async fn a_session_of_citus_between_its_nodes_wakes_nobody() {
    let (_db, mut listener, producer, worker) = scene().await;
    run_dry(&worker).await;
    let name = async |name: &str| {
        let sql = "select set_config('application_name', $1, false)";
        producer.query_one(sql, &[&name]).await.expect("set_config");
    };
    name("citus_internal gpid=10000000123").await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 0);
    name("shop").await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 1);
}

/// A full queue of notifications fails the commit of whoever adds to it, and any login may fill it.
#[tokio::test]
async fn notifications_are_sent_only_where_their_queue_is_looked_at_before() {
    let db = TestDb::new().await;
    let sql = "select p.proname::text, p.prosrc like '%pg_notification_queue_usage() >= 0.5%'
                 from pg_proc p where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
                  and p.prosrc ~* '(pg_notify *[(]|(^|[^a-z_])notify +[a-z_]+ *;)'
                order by 1";
    let rows = db.owner().await.query(sql, &[]).await.expect("pg_proc");
    let places: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(places, [("rehearse_drop".to_owned(), true), ("tell".to_owned(), true)]);
}

#[tokio::test]
async fn what_brings_no_work_wakes_nobody_and_a_tick_that_brings_some_does() {
    let (db, mut listener, mut producer, worker) = scene().await;
    run_dry(&worker).await;
    let undone = producer.transaction().await.expect("begin");
    dispatch(&undone, tenant(1), "mail").await;
    undone.rollback().await.expect("rollback");
    assert_eq!(listener.wakes().await, 0, "a dispatch that was undone");

    db.advance("10 ms").await;
    let delayed =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 s')";
    let id: Uuid = producer.query_one(delayed, &[&tenant(1)]).await.expect("dispatch_job").get(0);
    tick(&worker).await;
    assert_eq!(listener.wakes().await, 0, "a job that is not due");
    db.advance("1 s").await;
    tick(&worker).await;
    assert_eq!(listener.wakes().await, 1, "a job that has become due");
    assert_eq!(claim_job(&worker, "w").await.expect("the job").id, id);
}

/// A transaction that is to be prepared may not notify.
#[tokio::test]
async fn a_transaction_may_ask_that_its_dispatch_wakes_nobody() {
    let (db, mut listener, mut producer, worker) = scene().await;
    run_dry(&worker).await;
    let quiet = producer.transaction().await.expect("begin");
    quiet.batch_execute("set local fairclaim.notify = off").await.expect("set");
    dispatch(&quiet, tenant(1), "mail").await;
    quiet.commit().await.expect("commit");
    assert_eq!(listener.wakes().await, 0, "it asked for silence");
    db.advance("10 ms").await;
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(listener.wakes().await, 1, "the next one did not");
}

/// What a worker asks before it sleeps without a connection.
#[tokio::test]
async fn the_next_due_time_is_that_of_the_first_delayed_job_or_lease() {
    let db = TestDb::with_test_clock().await;
    stop_clock(&db).await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let next_due = async || -> Option<f64> {
        worker.query_one("select fairclaim.next_due()", &[]).await.expect("next_due").get(0)
    };
    assert_eq!(next_due().await, None, "there is nothing");
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(next_due().await, None, "what waits is for claims");
    let later = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '90 s')";
    producer.query_one(later, &[&tenant(1)]).await.expect("dispatch_job");
    assert_eq!(next_due().await, Some(90.0));
    assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 1);
    db.advance("100 s").await;
    assert_eq!(next_due().await, Some(-10.0), "it is overdue");
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
    assert_eq!(next_due().await, Some(200.0), "a lease of five minutes");
}

#[tokio::test]
async fn a_cancel_of_what_runs_tells_all_workers_and_one_of_what_waits_nobody() {
    let (db, mut listener, producer, worker) = scene().await;
    dispatch_many(&producer, tenant(1), "default", "mail", 40).await;
    let jobs = claim_jobs(&worker, 30, &mut None).await;
    listener.told().await;
    let cancel = async |ids: &[Uuid]| {
        let sql = "select count(*) from fairclaim.cancel_jobs($1, $2)";
        producer.query_one(sql, &[&tenant(1), &ids]).await.expect("cancel_jobs");
    };
    let waiting = "select array_agg(id) from fairclaim_internal.ready";
    let row = db.owner().await.query_one(waiting, &[]).await.expect("what waits");
    cancel(&row.get::<_, Vec<Uuid>>(0)).await;
    cancel(&[Uuid::from_u128(7)]).await;
    assert_eq!((listener.told().await, listener.cancels), ((0, 0), 0));
    cancel(&[jobs[0].id, jobs[1].id]).await;
    assert_eq!((listener.told().await, listener.cancels), ((0, 0), 1), "though nobody is idle");
    cancel(&[jobs[0].id]).await;
    assert_eq!((listener.told().await, listener.cancels), ((0, 0), 1), "it was asked before");
    // no more of them than of the others
    for _ in 0..3 {
        for job in &jobs[2..] {
            cancel(&[job.id]).await;
        }
    }
    listener.told().await;
    assert!(listener.cancels <= 1 + 26, "{}", listener.cancels);
    assert!(listener.cancels > 10, "{}", listener.cancels);
}
