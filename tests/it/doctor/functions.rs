//! What the doctor asks of the database with the owner's eyes.

use tokio_postgres::error::SqlState;

use crate::{
    calls::{dispatch, tenant, tick},
    support::{TestDb, logins},
};

/// Each function, and what it answers where one job waits, another tenant is paused, and so is a queue.
const CALLS: [(&str, &str); 8] = [
    ("select count(*) from fairclaim.doctor_alone()", "0"),
    ("select count(*) from fairclaim.doctor_leases(3600)", "0"),
    ("select limited, paused, at_limit from fairclaim.doctor_limits()", "1 1 0"),
    ("select min(version), max(version) = count(*) from fairclaim.doctor_migrations()", "1 t"),
    ("select queue, paused_at <= fairclaim.clock() from fairclaim.doctor_queues()", "quiet t"),
    ("select ticks, expired, running from fairclaim.doctor_state()", "1 0 0"),
    ("select fairclaim.doctor_strays() as strays", "0"),
    ("select queue, type, paused, runs from fairclaim.doctor_waiting()", "default mail f f"),
];

#[tokio::test]
async fn operators_get_counts_and_names_of_queues_and_nobody_else_gets_anything() {
    let db = TestDb::new().await;
    dispatch(&db.producer().await, tenant(2), "mail").await;
    let sql = "insert into fairclaim_internal.tenant_limit (tenant_id, max_running) values ($1, 0)";
    db.owner().await.execute(sql, &[&tenant(1)]).await.expect("a limit");
    let operator = db.session(logins::PLAIN_OPERATOR).await;
    operator.query("select fairclaim.pause_queue('quiet')", &[]).await.expect("a paused queue");
    tick(&db.worker().await).await;
    for (sql, expected) in CALLS {
        let line = format!("select translate((a)::text, '(),', '   ') from ({sql}) a");
        let rows = operator.query(&line, &[]).await.expect(sql);
        let answers: Vec<String> =
            rows.iter().map(|row| row.get::<_, String>(0).trim().to_owned()).collect();
        assert_eq!(answers, [expected], "{sql}");
        for login in [logins::PRODUCER, logins::WORKER, logins::TENANT, logins::STRANGER] {
            let error = db.session(login).await.query(sql, &[]).await.expect_err(login);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{login}: {sql}");
        }
    }
}
