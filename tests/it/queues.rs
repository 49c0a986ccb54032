//! Pausing a queue and looking at queues: what a pause stops, what it does not, and who may.

use crate::support::Client;
use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{
        Settled, claim_job, claim_jobs, dispatch_object, refused, settle, settle_after, tenant,
        tick,
    },
    notify::Listener,
    support::TestDb,
};

/// No job.
const NONE: [Uuid; 0] = [];

async fn into_queue(producer: &Client, n: u128, queue: &str) -> Uuid {
    let job = json!({"tenant_id": tenant(n), "queue": queue, "type": "send"});
    dispatch_object(producer, job).await
}

/// Pauses or resumes; answers whether it was paused before, and whether the queue is in use.
async fn change(operator: &Client, function: &str, queue: &str) -> (bool, bool) {
    let sql = format!("select was_paused, in_use from fairclaim.{function}($1)");
    let row = operator.query_one(&sql, &[&queue]).await.expect(function);
    (row.get(0), row.get(1))
}

/// Every form of a claim; `{}` stands for the queues.
const CLAIMS: [&str; 7] = [
    "select id from fairclaim.claim_job('w', p_queues => {})",
    "select id from fairclaim.claim_job('w', p_queues => {}, p_types => '{send}')",
    "select id from fairclaim.claim_jobs('w', {}, 1)",
    "select id from fairclaim.claim_jobs('w', {}, 10)",
    "select id from fairclaim.claim_jobs('w', {}, 10, p_types => '{send,other}')",
    "select id from fairclaim.claim_jobs('w', {}, 10, p_cursor => 'mail|0|0|0')",
    "select id from fairclaim.settle_and_claim('w', '{}', '{}', '{}', '{}', null, null, null, {}, 10) where kind = 'claimed'",
];

/// What a form of claim gives of these queues; nothing is kept of it.
async fn given(worker: &mut Client, claim: &str, queues: &str) -> Vec<Uuid> {
    let sql = claim.replace(" {}", &format!(" {queues}"));
    let transaction = worker.transaction().await.expect("begin");
    let rows = transaction.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn no_form_of_claim_gives_a_job_of_a_paused_queue() {
    let db = TestDb::new().await;
    let (producer, operator, mut worker) =
        (db.producer().await, db.operator().await, db.worker().await);
    let stopped = into_queue(&producer, 1, "mail").await;
    let goes_on = into_queue(&producer, 1, "bill").await;
    assert_eq!(change(&operator, "pause_queue", "mail").await, (false, true));
    for claim in CLAIMS {
        for queues in ["null", "'{bill,mail}'", "'{mail,bill}'"] {
            assert_eq!(given(&mut worker, claim, queues).await, [goes_on], "{claim} of {queues}");
        }
        assert_eq!(given(&mut worker, claim, "'{mail}'").await, NONE, "{claim}");
    }
    assert_eq!(change(&operator, "resume_queue", "mail").await, (true, true));
    for claim in CLAIMS {
        assert_eq!(given(&mut worker, claim, "'{mail}'").await, [stopped], "{claim}");
    }
}

#[tokio::test]
async fn dispatch_and_running_jobs_go_on_in_a_paused_queue() {
    let db = TestDb::new().await;
    let (producer, operator, worker) =
        (db.producer().await, db.operator().await, db.worker().await);
    for _ in 0..4 {
        into_queue(&producer, 1, "mail").await;
    }
    let running = claim_jobs(&worker, 4, &mut None).await;
    assert_eq!(running.len(), 4);
    change(&operator, "pause_queue", "mail").await;
    let later = into_queue(&producer, 2, "mail").await;
    let extended = worker
        .query_one(
            "select accepted from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid])",
            &[&running[0].id, &running[0].attempts, &running[0].token],
        )
        .await
        .expect("extend_leases");
    assert!(extended.get::<_, bool>(0), "a heartbeat of a running job");
    assert_eq!(settle(&worker, &running[0], "complete").await, Settled::as_status("completed"));
    assert_eq!(settle(&worker, &running[1], "fail").await, Settled::as_status("failed"));
    assert_eq!(settle(&worker, &running[2], "release").await, Settled::as_status("pending"));
    let retried = settle_after(&worker, &running[3], "retry", Some(0.0)).await;
    assert_eq!(retried, Settled::as_status("pending"));
    tick(&worker).await;
    assert!(claim_job(&worker, "w").await.is_none(), "what came back waits with the others");

    change(&operator, "resume_queue", "mail").await;
    let mut back: Vec<Uuid> =
        claim_jobs(&worker, 10, &mut None).await.iter().map(|job| job.id).collect();
    back.sort();
    let mut expected = vec![running[2].id, running[3].id, later];
    expected.sort();
    assert_eq!(back, expected);
}

#[tokio::test]
async fn a_resume_wakes_the_workers_and_a_needless_one_does_not() {
    let db = TestDb::new().await;
    let (operator, mut listener) = (db.operator().await, Listener::new(&db).await);
    change(&operator, "pause_queue", "mail").await;
    assert_eq!(listener.wakes().await, 0);
    change(&operator, "resume_queue", "mail").await;
    assert_eq!(listener.wakes().await, 1);
    assert_eq!(change(&operator, "resume_queue", "mail").await, (false, false));
    assert_eq!(listener.wakes().await, 0);
}

#[tokio::test]
async fn a_second_pause_keeps_the_time_of_the_first() {
    let db = TestDb::with_test_clock().await;
    let operator = db.operator().await;
    let paused_at = "select paused_at::text from fairclaim.pause_queue('mail')";
    let first: String = operator.query_one(paused_at, &[]).await.expect("pause").get(0);
    db.advance("1 hour").await;
    let second: String = operator.query_one(paused_at, &[]).await.expect("pause").get(0);
    assert_eq!(first, second);
    assert_eq!(change(&operator, "pause_queue", "mail").await, (true, false));
}

#[tokio::test]
async fn only_an_operator_pauses_resumes_and_lists_queues() {
    let db = TestDb::new().await;
    into_queue(&db.producer().await, 1, "mail").await;
    for session in [
        db.producer().await,
        db.worker().await,
        db.tenant().await,
        db.auditor().await,
        db.stranger().await,
    ] {
        for call in [
            "fairclaim.pause_queue('mail')",
            "fairclaim.resume_queue('mail')",
            "fairclaim.list_queues()",
            "fairclaim_internal.queue_in_use('mail')",
        ] {
            let sql = format!("select * from {call}");
            refused(session.query(&sql, &[]).await, "42501");
        }
    }
    assert!(claim_job(&db.worker().await, "w").await.is_some(), "somebody paused it");
    let plain = db.plain_operator().await;
    assert!(!change(&plain, "pause_queue", "mail").await.0);
    assert_eq!(
        plain.query("select * from fairclaim.list_queues()", &[]).await.expect("list").len(),
        1
    );
}

#[tokio::test]
async fn a_list_of_queues_counts_what_is_in_each() {
    let db = TestDb::new().await;
    let (producer, operator, worker) =
        (db.producer().await, db.operator().await, db.worker().await);
    for n in [1, 1, 2] {
        into_queue(&producer, n, "mail").await;
    }
    for _ in 0..12 {
        into_queue(&producer, 3, "mail").await; // more than a light tenant's: an own lane too
    }
    into_queue(&producer, 1, "bill").await;
    assert_eq!(claim_jobs_of(&worker, "bill").await, 1);
    producer
        .execute(
            "select fairclaim.dispatch_job($1, 'send', p_queue => 'later', p_run_at => fairclaim.clock() + interval '1 hour')",
            &[&tenant(1)],
        )
        .await
        .expect("dispatch_job");
    change(&operator, "pause_queue", "empty").await;

    let sql = "select queue, waiting, tenants_waiting, scheduled, running, paused_at is not null, oldest_waiting_at is not null, at_least
                 from fairclaim.list_queues(";
    let rows = operator.query(&format!("{sql})"), &[]).await.expect("list_queues");
    let seen: Vec<(String, [i32; 4], bool, bool)> = rows
        .iter()
        .map(|row| {
            assert_eq!(row.get::<_, Vec<String>>(7), Vec::<String>::new());
            (row.get(0), [1, 2, 3, 4].map(|at| row.get::<_, i32>(at)), row.get(5), row.get(6))
        })
        .collect();
    let expected = [
        ("bill", [0, 0, 0, 1], false, false),
        ("empty", [0, 0, 0, 0], true, false),
        ("later", [0, 0, 1, 0], false, false),
        ("mail", [15, 3, 0, 0], false, true),
    ];
    assert_eq!(
        seen,
        expected.map(|(name, counts, paused, oldest)| (name.to_owned(), counts, paused, oldest))
    );

    let row = operator.query(&format!("{sql}5)"), &[]).await.expect("list_queues").remove(3);
    assert_eq!(row.get::<_, i32>(1), 5, "counting stops where it is told to");
    assert_eq!(row.get::<_, Vec<String>>(7), ["waiting", "tenants_waiting"]);
}

async fn claim_jobs_of(worker: &Client, queue: &str) -> usize {
    let sql = "select id from fairclaim.claim_jobs('w', array[$1::text], 10)";
    worker.query(sql, &[&queue]).await.expect("claim_jobs").len()
}
