//! A database whose every change is noticed.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
};

use crate::support::Client;
use tokio_postgres::{AsyncMessage, NoTls};

use super::MARK;
use crate::{notify::stop_clock, support::TestDb};

/// The database, somebody who sees all tables, and somebody who listens.
pub(super) struct Stage {
    pub(super) db: TestDb,
    owner: Client,
    /// The statement that answers with a line a table.
    look: String,
    listener: tokio_postgres::Client,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::of(TestDb::new().await).await
    }

    /// One in which no time passes.
    pub(super) async fn with_stopped_clock() -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        Self::of(db).await
    }

    async fn of(db: TestDb) -> Self {
        let owner = db.owner().await;
        let look =
            owner.query_one(include_str!("contents.sql"), &[]).await.expect("the tables").get(0);
        let (listener, heard) = listen(&db).await;
        Self { db, owner, look, listener, heard }
    }

    /// The number of rows and a hash of the contents of every table. What was notified until now is forgotten, and a dispatch
    /// would be told from now on, as if a worker had just found nothing.
    pub(super) async fn contents(&self) -> String {
        let told = self.told().await;
        assert!(told.iter().all(String::is_empty), "a notification has a payload: {told:?}");
        let contents = self.look().await;
        let idle = "select fairclaim_internal.note_idle(fairclaim.clock())";
        self.owner.batch_execute(idle).await.expect("an idle worker");
        contents
    }

    async fn look(&self) -> String {
        self.owner.query_one(&self.look, &[]).await.expect("contents").get(0)
    }

    /// Nothing was written since, and nobody was told of anything.
    #[track_caller]
    pub(super) fn untouched<'a>(
        &'a self,
        before: &'a str,
        by: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let after = self.look().await;
            assert_eq!(after, before, "{caller}: {by}\nwrote something");
            let told = self.told().await;
            assert!(told.is_empty(), "{caller}: {by}\nnotified: {told:?}");
        }
    }

    /// What was notified. It is sent before the answer to what is asked afterwards.
    async fn told(&self) -> Vec<String> {
        self.listener.batch_execute("select 1").await.expect("the listener");
        self.heard.lock().expect("a lock").drain(..).collect()
    }

    /// No session shows the mark in its name.
    pub(super) async fn names_nothing(&self) {
        self.owner.batch_execute("reset role").await.expect("the login itself");
        let sql =
            "select application_name from pg_stat_activity where datname = current_database()";
        let names = self.owner.query(sql, &[]).await.expect("pg_stat_activity");
        self.owner.batch_execute("set role fairclaim_owner").await.expect("set role");
        assert!(names.len() >= 2, "it sees the other sessions");
        for name in names {
            let name: Option<String> = name.get(0);
            assert!(!name.clone().unwrap_or_default().contains(MARK), "{name:?}");
        }
    }
}

/// A session that keeps what it is notified of.
async fn listen(db: &TestDb) -> (tokio_postgres::Client, Arc<Mutex<Vec<String>>>) {
    let connected = tokio_postgres::connect(&db.direct_url("test_stranger"), NoTls).await;
    let (client, mut connection) = connected.expect("connect");
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                kept.lock().expect("a lock").push(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute("listen fairclaim").await.expect("listen");
    (client, heard)
}

/// What the other tests rely on: a change of any kind is seen.
#[tokio::test]
async fn the_contents_of_the_tables_tell_every_change() {
    let stage = Stage::new().await;
    let before = stage.contents().await;
    assert_eq!(before, stage.contents().await);
    for table in
        ["job", "ready", "running", "finished", "attempt_error", "running_limit", "setting"]
    {
        assert!(before.contains(&format!("\n{table} ")), "{table}: {before}");
    }
    for change in [
        "update fairclaim_internal.setting set max_payload = max_payload - 1",
        "insert into fairclaim_internal.queue (name) values ('x')",
        "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')",
    ] {
        let before = stage.contents().await;
        stage.owner.batch_execute(change).await.expect(change);
        assert_ne!(before, stage.contents().await, "{change}");
    }
    stage.contents().await;
    let dispatch = "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')";
    stage.owner.batch_execute(dispatch).await.expect(dispatch);
    assert_eq!(stage.told().await, [""], "a dispatch is told, and no more than that");
    stage.names_nothing().await;
}
