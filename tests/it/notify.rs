//! NOTIFY: it wakes idle workers, and never slows a busy queue. The clock of these tests stands still.

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, NoTls, Notification};
use uuid::Uuid;

use crate::calls::{claim_job, dispatch, dispatch_many, tenant, tick};
use crate::support::{Client, TestDb};

/// Stops the test clock: from here on time passes by `advance` alone.
pub(crate) async fn stop_clock(db: &TestDb) {
    let sql = "do $$ begin
                 execute format('create or replace function fairclaim.clock() returns timestamptz
                   language sql volatile security definer set search_path = pg_catalog, pg_temp
                   as $sql$ select %L::timestamptz + t.shift from fairclaim.test_clock t $sql$', clock_timestamp());
               end $$";
    db.owner().await.batch_execute(sql).await.expect("a clock that stands");
}

/// A session that listens, and hears what was sent.
pub(crate) struct Listener {
    session: tokio_postgres::Client,
    heard: UnboundedReceiver<Notification>,
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
        Self { session, heard }
    }

    /// How often workers were woken since the last call. Notifications come in the order of their commits, so what was
    /// committed before the mark is heard before it.
    pub(crate) async fn wakes(&mut self) -> usize {
        self.session.batch_execute("notify mark").await.expect("notify");
        let mut count = 0;
        loop {
            let notification = self.heard.recv().await.expect("a session that lives");
            if notification.channel() == "mark" {
                return count;
            }
            assert_eq!(notification.channel(), "fairclaim");
            assert_eq!(notification.payload(), "", "a wake says nothing about anybody's job");
            count += 1;
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
async fn of_the_dispatches_of_a_few_milliseconds_one_wakes() {
    let (db, mut listener, producer, worker) = scene().await;
    run_dry(&worker).await;
    for round in 0..3 {
        for _ in 0..20 {
            dispatch(&producer, tenant(1), "mail").await;
        }
        dispatch_many(&producer, tenant(2), "default", "mail", 100).await;
        assert_eq!(listener.wakes().await, 1, "round {round}");
        db.advance("2 ms").await;
        dispatch(&producer, tenant(1), "mail").await;
        assert_eq!(listener.wakes().await, 0, "round {round}: one was just sent");
        db.advance("8 ms").await;
    }
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
