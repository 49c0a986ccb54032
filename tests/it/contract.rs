//! The nine lines of the contract that the product comes from: one acceptance test each, named after its line.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::calls::{
    Claimed, Settled, claim_job, claim_jobs, dispatch, dispatch_object, refused, settle,
    settle_after, tenant, tick, try_claim_jobs,
};
use crate::support::TestDb;

const ORIGIN_COLUMNS: [(&str, Type); 11] = [
    ("id", Type::UUID),
    ("tenant_id", Type::UUID),
    ("type", Type::TEXT),
    ("status", Type::TEXT),
    ("payload", Type::JSONB),
    ("result", Type::JSONB),
    ("worker_id", Type::TEXT),
    ("attempts", Type::INT4),
    ("next_retry_at", Type::TIMESTAMPTZ),
    ("created_at", Type::TIMESTAMPTZ),
    ("completed_at", Type::TIMESTAMPTZ),
];

/// (status, worker_id, attempts) of a job as an auditor sees it.
async fn seen(auditor: &Client, id: Uuid) -> (String, Option<String>, i32) {
    let row = auditor
        .query_one(
            "select status, worker_id, attempts from fairclaim.job_queue where id = $1",
            &[&id],
        )
        .await
        .expect("job_queue");
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn line_1_claim_job_selects_one_pending_job_with_skip_locked() {
    let db = TestDb::new().await;
    let (producer, auditor) = (db.producer().await, db.auditor().await);
    let (mut first, second) = (db.worker().await, db.worker().await);
    let id = dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));

    // one transaction: while it is open nobody sees the change, and nobody waits for it
    let open = first.transaction().await.expect("begin");
    let row =
        open.query_one("select * from fairclaim.claim_job('w1')", &[]).await.expect("claim_job");
    assert_eq!(row.get::<_, Uuid>("id"), id);
    assert_eq!(row.get::<_, &str>("status"), "processing");
    assert_eq!(row.get::<_, &str>("worker_id"), "w1");
    assert_eq!(row.get::<_, i32>("attempts"), 1);
    second.batch_execute("set lock_timeout = '1s'").await.expect("set");
    assert!(claim_job(&second, "w2").await.is_none(), "a locked job must be skipped");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));

    open.rollback().await.expect("rollback");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));
    let claimed = claim_job(&second, "w2").await.expect("the job is free again");
    assert_eq!((claimed.id, claimed.attempts), (id, 1));
    assert_eq!(seen(&auditor, id).await, ("processing".into(), Some("w2".into()), 1));
    assert!(claim_job(&first, "w1").await.is_none(), "only one pending job was there");
}

#[tokio::test]
async fn line_2_no_job_gives_an_empty_set_and_nobody_waits() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let (mut first, second) = (db.worker().await, db.worker().await);
    second.batch_execute("set lock_timeout = '1s'").await.expect("set");
    assert!(claim_job(&second, "w").await.is_none());
    assert!(claim_jobs(&second, 100, &mut None).await.is_empty());

    // rows of a shared lane (two tenants with two) and of own lanes (one with twelve)
    for n in 1..=2 {
        dispatch(&producer, tenant(n), "mail").await;
        dispatch(&producer, tenant(n), "mail").await;
    }
    crate::calls::dispatch_many(&producer, tenant(3), "default", "mail", 12).await;
    let open = first.transaction().await.expect("begin");
    let held = claim_jobs(&open, 10, &mut None).await;
    assert_eq!(held.len(), 10);
    let mut ids: Vec<Uuid> = held.iter().map(|job| job.id).collect();
    let rest = claim_jobs(&second, 100, &mut None).await;
    assert_eq!(rest.len(), 6, "every job that is not locked is claimable");
    assert!(claim_job(&second, "w").await.is_none(), "what is left is locked");
    ids.extend(rest.iter().map(|job| job.id));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 16);
    open.commit().await.expect("commit");
    assert!(claim_job(&second, "w").await.is_none());
}

#[tokio::test]
async fn line_3_two_workers_and_one_job_exactly_one_gets_it() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let (a, b) = (db.worker().await, db.worker().await);
    let mut won = [0, 0];
    for round in 0..1000 {
        let id = dispatch(&producer, tenant(round % 7), "mail").await;
        let (got_a, got_b) = if round % 2 == 0 {
            tokio::join!(claim_job(&a, "a"), claim_job(&b, "b"))
        } else {
            let (got_b, got_a) = tokio::join!(claim_job(&b, "b"), claim_job(&a, "a"));
            (got_a, got_b)
        };
        match (got_a, got_b) {
            (Some(job), None) => {
                assert_eq!(job.id, id);
                won[0] += 1;
            }
            (None, Some(job)) => {
                assert_eq!(job.id, id);
                won[1] += 1;
            }
            (None, None) => panic!("round {round}: nobody got the job"),
            (Some(_), Some(_)) => panic!("round {round}: both got the job"),
        }
    }
    assert_eq!(won[0] + won[1], 1000);
    assert!(won[0] > 0 && won[1] > 0, "no race: one of the two always came first {won:?}");
}

/// How the claimers of the big race end.
struct Race {
    db: TestDb,
    total: usize,
    committed: AtomicUsize,
    died: AtomicUsize,
}

/// Claims until all jobs are claimed by somebody; every ninth transaction ends by a dropped connection.
async fn claimer(race: Arc<Race>, number: usize) -> Vec<Claimed> {
    let mut mine = Vec::new();
    let mut cursor = None;
    let mut client = race.db.worker().await;
    let mut calls = number;
    while race.committed.load(Ordering::SeqCst) < race.total {
        calls += 1;
        let open = client.transaction().await.expect("begin");
        let limit = [1, 7, 40, 100][calls % 4];
        let got = match limit {
            1 => claim_job(&open, "worker").await.into_iter().collect(),
            _ => try_claim_jobs(&open, limit, &mut cursor).await.expect("claim_jobs"),
        };
        if got.is_empty() {
            drop(open);
            tokio::task::yield_now().await;
        } else if calls.is_multiple_of(9) {
            std::mem::forget(open); // no rollback is sent: the server sees the connection end
            client = race.db.worker().await;
            race.died.fetch_add(1, Ordering::SeqCst);
        } else {
            open.commit().await.expect("commit");
            race.committed.fetch_add(got.len(), Ordering::SeqCst);
            mine.extend(got);
        }
    }
    mine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_3_n_workers_and_m_jobs_each_is_claimed_exactly_once() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    for _ in 0..5 {
        producer
            .execute(
                "select fairclaim.dispatch_jobs((
                   select jsonb_agg(jsonb_build_object('tenant_id', fairclaim.tenant_uuid('t' || g % 200), 'type', 'type' || g % 3))
                     from generate_series(1, 10000) g))",
                &[],
            )
            .await
            .expect("dispatch_jobs");
    }
    let race = Arc::new(Race {
        db,
        total: 50_000,
        committed: AtomicUsize::new(0),
        died: AtomicUsize::new(0),
    });
    let claimers: Vec<_> =
        (0..16).map(|number| tokio::spawn(claimer(Arc::clone(&race), number))).collect();
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    let all = async {
        for one in claimers {
            for job in one.await.expect("a claimer") {
                assert_eq!(job.attempts, 1, "a claim that was not committed counts nothing");
                *times.entry(job.id).or_default() += 1;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.expect("some jobs are never claimed");
    assert_eq!(times.len(), 50_000);
    assert!(times.values().all(|&n| n == 1), "a job was claimed twice");
    assert!(
        race.died.load(Ordering::SeqCst) >= 16,
        "too few claimers died for this to mean anything"
    );
    let row = owner
        .query_one(
            "select (select count(*) from fairclaim.ready), (select count(*) from fairclaim.running where attempt = 1),
                    (select count(distinct tenant_id) from fairclaim.running)",
            &[],
        )
        .await
        .expect("counts");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (0_i64, 50_000_i64, 200_i64));
}

#[tokio::test]
async fn line_4_the_row_has_the_columns_of_the_origin() {
    let db = TestDb::new().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let id = dispatch_object(
        &producer,
        json!({"tenant_id": tenant(1), "type": "Mail.Send", "payload": {"to": "a@b.example"}}),
    )
    .await;
    for (who, sql) in [
        (&auditor, "select * from fairclaim.job_queue"),
        (&worker, "select * from fairclaim.claim_job('w')"),
        (&worker, "select * from fairclaim.claim_jobs('w', null, 1)"),
    ] {
        let statement = who.prepare(sql).await.expect("prepare");
        for (name, wanted) in &ORIGIN_COLUMNS {
            let column = statement.columns().iter().find(|column| column.name() == *name);
            let column = column.unwrap_or_else(|| panic!("{sql} lacks {name}"));
            assert_eq!(column.type_(), wanted, "{name} of {sql}");
        }
    }

    let row =
        worker.query_one("select * from fairclaim.claim_job('w')", &[]).await.expect("claim_job");
    assert_eq!(row.get::<_, Uuid>("id"), id);
    assert_eq!(row.get::<_, Uuid>("tenant_id"), tenant(1));
    assert_eq!(row.get::<_, &str>("type"), "Mail.Send");
    assert_eq!(row.get::<_, Value>("payload"), json!({"to": "a@b.example"}));
    settle_with_result(&worker, &Claimed::from(&row), &json!({"sent": true})).await;
    let row = auditor.query_one("select * from fairclaim.job_queue", &[]).await.expect("job_queue");
    assert_eq!(row.get::<_, &str>("status"), "completed");
    assert_eq!(row.get::<_, Value>("payload"), json!({"to": "a@b.example"}));
    assert_eq!(row.get::<_, Option<Value>>("result"), Some(json!({"sent": true})));
    let times = "select created_at <= completed_at and completed_at <= clock_timestamp(), next_retry_at is null from fairclaim.job_queue";
    let row = auditor.query_one(times, &[]).await.expect("job_queue");
    assert_eq!((row.get(0), row.get(1)), (Some(true), Some(true)));
}

/// Completes an attempt with a result.
async fn settle_with_result(worker: &Client, job: &Claimed, result: &Value) {
    let row = worker
        .query_one(
            "select accepted, status from fairclaim.settle_jobs('worker', array[$1::uuid], array[$2::int], array[$3::uuid],
               array['complete'], array[$4::jsonb])",
            &[&job.id, &job.attempts, &job.token, result],
        )
        .await
        .expect("settle_jobs");
    assert_eq!((row.get(0), row.get(1)), (true, Some("completed")));
}

#[tokio::test]
async fn line_5_workers_serve_all_tenants_and_a_tenant_sees_its_own_only() {
    let db = TestDb::new().await;
    let (producer, worker, owner, login) =
        (db.producer().await, db.worker().await, db.owner().await, db.tenant().await);
    for n in 1..=3 {
        dispatch(&producer, tenant(n), "mail").await;
        crate::calls::dispatch_many(&producer, tenant(n), "default", "report", 10).await;
    }
    let open = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'fairclaim' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)";
    assert_eq!(owner.query_one(open, &[]).await.expect("catalog").get::<_, i64>(0), 0);

    let got = claim_jobs(&worker, 12, &mut None).await;
    let of = |n: u128| got.iter().filter(|job| job.tenant == tenant(n)).count();
    assert!(of(1) > 0 && of(2) > 0 && of(3) > 0, "a worker serves every tenant");
    let done = got.iter().find(|job| job.tenant == tenant(2)).expect("one of tenant 2");
    assert_eq!(settle(&worker, done, "complete").await, Settled::as_status("completed"));

    // a login that is not listed has no tenant, whatever it sets
    let count = "select count(*), count(*) filter (where tenant_id <> $1) from fairclaim.job_queue";
    set_tenant(&login, &tenant(1).to_string()).await;
    refused(login.query(count, &[&tenant(1)]).await, "JQ002");
    owner
        .execute(
            "insert into fairclaim.login_tenant (login, source) values ($1::text::name, 'setting')",
            &[&user(&login).await],
        )
        .await
        .expect("login_tenant");
    for n in 1..=3 {
        set_tenant(&login, &tenant(n).to_string()).await;
        let row = login.query_one(count, &[&tenant(n)]).await.expect("job_queue");
        assert_eq!(
            (row.get(0), row.get(1)),
            (11_i64, 0_i64),
            "tenant {n} sees all of its own and nothing else"
        );
        let row = login
            .query_one(&count.replace("job_queue", "job_overview"), &[&tenant(n)])
            .await
            .expect("overview");
        assert_eq!((row.get(0), row.get(1)), (11_i64, 0_i64));
        let states = "select count(*) filter (where status = 'completed'), count(*) filter (where status = 'processing') from fairclaim.job_queue";
        let row = login.query_one(states, &[]).await.expect("job_queue");
        let completed = i64::from(n == 2);
        assert_eq!(
            (row.get(0), row.get(1)),
            (completed, i64::try_from(of(n)).expect("small") - completed)
        );
    }
    set_tenant(&login, &tenant(9).to_string()).await;
    assert_eq!(login.query_one(count, &[&tenant(9)]).await.expect("job_queue").get::<_, i64>(0), 0);
    for bad in [
        "",
        "1",
        "' or true --",
        "7e4a0000-0000-4000-8000-00000000000g",
        "{7e4a0000-0000-4000-8000-0000000001}",
    ] {
        set_tenant(&login, bad).await;
        let error = refused(login.query(count, &[&tenant(1)]).await, "JQ002");
        assert!(bad.is_empty() || !error.message().contains(bad), "the value must not be repeated");
    }
    set_tenant(&login, &tenant(1).to_string()).await;
    for forbidden in [
        "select * from fairclaim.claim_job('w')",
        "select lease_token from fairclaim.running",
        "select fairclaim.dispatch_job('7e4a0000-0000-4000-8000-000000000002', 'mail')",
        "delete from fairclaim.job",
        "insert into fairclaim.login_tenant values ('x', 'setting', null)",
    ] {
        refused(login.query(forbidden, &[]).await, "42501");
    }
    refused(worker.query("select * from fairclaim.job_queue", &[]).await, "42501");
}

/// The login of a connection.
async fn user(client: &Client) -> String {
    client.query_one("select session_user::text", &[]).await.expect("session_user").get(0)
}

/// Says which tenant the session works for.
async fn set_tenant(client: &Client, tenant: &str) {
    client
        .execute("select set_config('fairclaim.tenant_id', $1, false)", &[&tenant])
        .await
        .expect("set_config");
}

#[tokio::test]
async fn line_6_worker_id_is_recorded_and_hostile_text_does_no_harm() {
    let db = TestDb::new().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let long = "w".repeat(255);
    let hostile = [
        "'; drop schema fairclaim cascade; --",
        "$1 $$ $body$ %s %I %% {} \\' \\\\",
        "w|1|2;default|0|0|0",
        "\u{202e}резник\u{feff} 漢字 🦀",
        "\"quoted\" <script>alert(1)</script>",
        long.as_str(),
    ];
    for name in hostile {
        let id = dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, name).await.expect("a job");
        assert_eq!(job.id, id);
        assert_eq!(seen(&auditor, id).await, ("processing".into(), Some(name.into()), 1));
        let row = worker
            .query_one(
                "select status from fairclaim.settle_jobs($1, array[$2::uuid], array[1], array[$3::uuid], array['complete'])",
                &[&name, &job.id, &job.token],
            )
            .await
            .expect("settle_jobs");
        assert_eq!(row.get::<_, &str>(0), "completed");
        assert_eq!(seen(&auditor, id).await, ("completed".into(), Some(name.into()), 1));
    }
    let id = dispatch(&producer, tenant(1), "mail").await;
    let too_long = "w".repeat(256);
    for bad in ["", "two\nlines", "tab\t", "\u{1b}[31mred", "\u{7f}", too_long.as_str()] {
        let error =
            refused(worker.query("select * from fairclaim.claim_job($1)", &[&bad]).await, "JQ004");
        assert!(error.message().starts_with("p_worker_id: "), "{}", error.message());
    }
    refused(worker.query("select * from fairclaim.claim_job(null)", &[]).await, "JQ004");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));
}

#[tokio::test]
async fn line_7_attempts_drives_retries_with_next_retry_at() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let id = dispatch_object(
        &producer,
        json!({"tenant_id": tenant(1), "type": "mail", "max_attempts": 4}),
    )
    .await;

    // 15 s, doubled by every failure, 20 % either way
    for (attempt, seconds) in [(1, 15.0), (2, 30.0), (3, 60.0)] {
        let job = claim_job(&worker, "w").await.expect("due");
        assert_eq!((job.id, job.attempts), (id, attempt));
        assert_eq!(settle(&worker, &job, "retry").await, Settled::as_status("scheduled"));
        let row = auditor
            .query_one(
                "select q.status, q.attempts, extract(epoch from q.next_retry_at - e.at)::float8
                   from fairclaim.job_queue q join fairclaim.attempt_error e on e.id = q.id and e.attempt = q.attempts",
                &[],
            )
            .await
            .expect("job_queue");
        assert_eq!((row.get(0), row.get(1)), ("scheduled", attempt));
        let wait: f64 = row.get(2);
        assert!(
            (seconds * 0.8..=seconds * 1.2).contains(&wait),
            "{wait} s after attempt {attempt}"
        );

        tick(&worker).await;
        assert!(claim_job(&worker, "w").await.is_none(), "not before next_retry_at");
        db.advance(&format!("{} s", seconds * 1.2 + 1.0)).await;
        tick(&worker).await;
    }
    let job = claim_job(&worker, "w").await.expect("due");
    assert_eq!((job.attempts, job.attempts_left), (4, 1));
    assert_eq!(settle_after(&worker, &job, "retry", Some(5.0)).await, Settled::as_status("failed"));
    assert_eq!(seen(&auditor, id).await, ("failed".into(), Some("worker".into()), 4));
    assert!(claim_job(&worker, "w").await.is_none());
}
