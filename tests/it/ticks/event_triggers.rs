//! Event triggers of the host run with every range that is made or dropped. One that fails, or takes long, stops nothing but that.

use std::{future::Future, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, NoTls};

use super::number;
use crate::{
    calls::{claim_job, dispatch, settle, settle_all, tenant, tick},
    support::{Client, TestDb, waiting::until},
};

/// Long enough for anything that does not wait for somebody else.
const SOON: Duration = Duration::from_secs(20);
const DROP: &str = "select ranges_dropped, ranges_in_use from fairclaim.drop_ranges()";
const AHEAD: &str = "select count(*) from fairclaim_internal.id_range r where r.ends_at > fairclaim.clock() + interval '1 hour'";

async fn soon<T>(what: &str, call: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, call).await.unwrap_or_else(|_| panic!("{what} waits"))
}

/// An event trigger of the administrator's, of this name, that does this.
async fn on(superuser: &Client, event: &str, name: &str, body: &str) {
    let sql = format!(
        "create function public.{name}() returns event_trigger language plpgsql as $$ begin {body} end $$;
         create event trigger {name} on {event} execute function public.{name}()"
    );
    superuser.batch_execute(&sql).await.expect("an event trigger");
}

/// A database whose ranges have ended, so that a tick wants to make some.
async fn scene() -> (TestDb, Client, Client, Client) {
    let db = TestDb::with_test_clock().await;
    let (owner, worker, superuser) =
        (db.owner().await, db.worker().await, db.superuser_here().await);
    tick(&worker).await;
    db.advance("60 days").await;
    assert_eq!(number(&owner, AHEAD).await, 0);
    (db, owner, worker, superuser)
}

/// Dispatch, claim and settlement, and the promotion of a delayed job.
async fn jobs_go_on(db: &TestDb) {
    let (producer, worker) = (db.producer().await, db.worker().await);
    let id = soon("a dispatch", dispatch(&producer, tenant(1), "mail")).await;
    let job = soon("a claim", claim_job(&worker, "w")).await.expect("the job");
    assert_eq!(job.id, id);
    assert!(soon("a settlement", settle(&worker, &job, "complete")).await.accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_trigger_that_refuses_every_table_is_named_and_stops_ranges_alone() {
    let (db, owner, worker, superuser) = scene().await;
    on(&superuser, "ddl_command_end", "no_ddl_today", "raise exception 'not today';").await;
    let later =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 s')";
    db.producer().await.execute(later, &[&tenant(2)]).await.expect("dispatch_job");
    db.advance("2 s").await;
    let row = tick(&worker).await;
    assert_eq!(row.get::<_, Vec<String>>("failed"), ["ranges"]);
    assert_eq!(row.get::<_, i32>("promoted"), 1, "the other steps are done");
    let job = claim_job(&worker, "w").await.expect("the delayed job");
    settle(&worker, &job, "complete").await;
    jobs_go_on(&db).await;
    let faults = "select note from fairclaim_internal.tick_fault where step = 'ranges'";
    let note: String = owner.query_one(faults, &[]).await.expect(faults).get(0);
    assert!(note.contains("not today") && note.contains("no_ddl_today"), "{note}");

    // within a minute it is not even tried
    let times = "select times from fairclaim_internal.tick_fault where step = 'ranges'";
    for (later, failures) in [("10 s", 1), ("40 s", 1), ("15 s", 2), ("1 s", 2)] {
        db.advance(later).await;
        tick(&worker).await;
        assert_eq!(number(&owner, times).await, failures, "{later} later");
    }
    superuser.batch_execute("drop event trigger no_ddl_today").await.expect("drop");
    db.advance("61 s").await;
    assert_eq!(tick(&worker).await.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    assert!(number(&owner, AHEAD).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_event_trigger_holds_up_neither_jobs_nor_the_next_ticks() {
    let (db, owner, worker, superuser) = scene().await;
    let waits_for = "create table public.hold (one int); grant select on public.hold to public";
    superuser.batch_execute(waits_for).await.expect(waits_for);
    let body = "while exists (select from public.hold) loop perform pg_sleep(0.02); end loop;";
    on(&superuser, "ddl_command_end", "slow_ddl", body).await;
    superuser.batch_execute("insert into public.hold values (1)").await.expect("hold");
    let ticker = db.worker().await;
    let ticking = tokio::spawn(async move { tick(&ticker).await });
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    until("the tick waits in the event trigger", SOON, || async {
        (number(&superuser, waits).await > 0).then_some(())
    })
    .await;
    jobs_go_on(&db).await;
    let row = soon("another tick", tick(&worker)).await;
    assert!(row.get::<_, bool>("busy"), "{row:?} {:?}", row.get::<_, Vec<String>>("failed"));
    superuser.batch_execute("delete from public.hold").await.expect("go on");
    assert_eq!(
        ticking.await.expect("the tick").get::<_, Vec<String>>("failed"),
        Vec::<String>::new()
    );
    assert!(number(&owner, AHEAD).await > 0);

    // a login with a time-out: the step that runs into it is not tried by every tick
    db.advance("60 days").await;
    superuser.batch_execute("insert into public.hold values (1)").await.expect("hold");
    worker.batch_execute("set statement_timeout = '2 s'").await.expect("set");
    assert_eq!(tick(&worker).await.get::<_, Vec<String>>("failed"), ["ranges"]);
    for _ in 0..3 {
        db.advance("1 s").await;
        assert_eq!(tick(&worker).await.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    }
    jobs_go_on(&db).await;
    superuser.batch_execute("delete from public.hold").await.expect("go on");
}

/// What the server warns of in a session of a worker.
async fn warned(db: &TestDb, sql: &str) -> (i32, i32, Vec<String>) {
    let (session, mut connection) =
        tokio_postgres::connect(&db.direct_url("test_worker"), NoTls).await.expect("connect");
    let (tell, mut heard): (_, UnboundedReceiver<String>) = unbounded_channel();
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(|context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notice(notice) = message {
                drop(tell.send(format!(
                    "{} {}",
                    notice.message(),
                    notice.hint().unwrap_or_default()
                )));
            }
        }
    });
    let row = session.query_one(sql, &[]).await.expect(sql);
    drop(session);
    let mut all = Vec::new();
    while let Some(notice) = heard.recv().await {
        all.push(notice);
    }
    (row.get(0), row.get(1), all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_an_event_trigger_keeps_is_emptied_and_the_trigger_named() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, superuser) =
        (db.producer().await, db.worker().await, db.superuser_here().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "w").await.expect("the job");
    settle_all(&worker, &[job], "complete").await;
    db.advance("60 days").await;
    tick(&worker).await;
    let exclusive = "select count(*) from pg_locks l where l.mode = 'AccessExclusiveLock'
                        and l.relation = 'fairclaim_internal.job'::regclass";
    for (body, told) in [
        ("raise exception 'never';", &["never", "keeps_tables"][..]),
        ("perform pg_sleep(0.3);", &["keeps_tables", "too long"]),
    ] {
        on(&superuser, "sql_drop", "keeps_tables", body).await;
        let (dropped, in_use, warnings) = warned(&db, DROP).await;
        assert_eq!((dropped, in_use), (0, 1), "{body}");
        let text = warnings.join("\n");
        assert!(told.iter().all(|word| text.contains(word)), "{body}: {text}");
        worker.batch_execute("begin").await.expect("begin");
        worker.query(DROP, &[]).await.expect(DROP);
        assert_eq!(number(&db.owner().await, exclusive).await, 0, "{body}: nobody waits for it");
        worker.batch_execute("rollback").await.expect("rollback");
        jobs_go_on(&db).await;
        let drop = "drop event trigger keeps_tables; drop function public.keeps_tables()";
        superuser.batch_execute(drop).await.expect(drop);
    }
    let prune = "select rows_deleted > 0 from fairclaim.prune()";
    assert!(worker.query_one(prune, &[]).await.expect(prune).get::<_, bool>(0), "its rows go");
    assert_eq!(warned(&db, DROP).await.0, 1, "without the trigger");
}
