//! When a dispatched job is due and how long it may take: seconds and times with an offset, whatever the session is set to.

use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{dispatch_batch, refused, tenant},
    support::{Client, TestDb},
};

/// Settings under which texts of times and spans mean something else.
const SESSIONS: &[&str] = &[
    "set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set intervalstyle = 'sql_standard'",
    "set timezone = 'America/St_Johns'; set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'",
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres_verbose'",
];

/// When it is due in seconds since 1970, and how many seconds an attempt may take.
async fn times(owner: &Client, id: Uuid) -> (Option<f64>, Option<f64>) {
    let sql = "select extract(epoch from run_at)::float8, extract(epoch from timeout)::float8
                 from fairclaim_internal.job where id = $1";
    let row = owner.query_one(sql, &[&id]).await.expect(sql);
    (row.get(0), row.get(1))
}

async fn now(owner: &Client) -> f64 {
    let sql = "select extract(epoch from fairclaim.clock())::float8";
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}

#[tokio::test]
async fn a_time_with_its_offset_means_the_same_in_every_session() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.direct_session("test_producer").await, db.owner().await);
    for session in SESSIONS {
        producer.batch_execute(session).await.expect(session);
        for (text, seconds) in [
            ("2027-02-01T09:00:00Z", 1_801_472_400.0),
            ("2027-02-01T09:00:00.25+09:00", 1_801_440_000.25),
            ("2027-02-01 09:00-03:30", 1_801_485_000.0),
            ("2028-02-29T00:00:00Z", 1_835_395_200.0),
        ] {
            let job =
                json!({"tenant_id": tenant(1), "type": "mail", "run_at": text, "timeout": 90.5});
            let id = dispatch_batch(&producer, &[job]).await[0];
            assert_eq!(times(&owner, id).await, (Some(seconds), Some(90.5)), "{session}: {text}");
        }
        for text in
            ["2027-02-01T09:00:00", "01.02.2027 09:00:00", "tomorrow", "2027-02-01", "1801472400"]
        {
            let good = json!({"tenant_id": tenant(1), "type": "mail"});
            let bad = json!({"tenant_id": tenant(1), "type": "mail", "run_at": text});
            let sql = "select id from fairclaim.dispatch_jobs($1)";
            let error = refused(producer.query(sql, &[&json!([good, bad])]).await, "JQ004");
            let message = error.message();
            assert!(message.starts_with("p_jobs[1].run_at: "), "{session}: {text}: {message}");
        }
    }
}

#[tokio::test]
async fn a_delay_is_counted_in_seconds_by_the_clock_of_the_database() {
    let db = TestDb::with_test_clock().await;
    let (producer, owner) = (db.direct_session("test_producer").await, db.owner().await);
    db.advance("400 days").await;
    for session in SESSIONS {
        producer.batch_execute(session).await.expect(session);
        let before = now(&owner).await;
        let one = "select fairclaim.dispatch_job($1, 'mail', p_delay => 7.25, p_timeout => 0.001)";
        let one: Uuid = producer.query_one(one, &[&tenant(1)]).await.expect(one).get(0);
        let jobs = [
            json!({"tenant_id": tenant(1), "type": "mail", "delay": 7.25, "timeout": 0.001}),
            json!({"tenant_id": tenant(1), "type": "mail", "delay": 0}),
        ];
        let many = dispatch_batch(&producer, &jobs).await;
        let after = now(&owner).await;
        for id in [one, many[0]] {
            let (due, timeout) = times(&owner, id).await;
            let due = due.expect("it is due later") - 7.25;
            assert!((before - 1e-3..=after + 1e-3).contains(&due), "{before} {due} {after}");
            assert_eq!(timeout, Some(0.001));
        }
        assert_eq!(times(&owner, many[1]).await, (None, None), "no delay is no later time");
    }
    let waits =
        "select count(*) filter (where s.id is not null), count(*) from fairclaim_internal.job j
                   left join fairclaim_internal.scheduled s using (id)";
    let row = owner.query_one(waits, &[]).await.expect(waits);
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (6, 9));
}
