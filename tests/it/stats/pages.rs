//! Pages of `tenant_stats`, and who may read them.

use uuid::Uuid;

use super::Stage;
use crate::{
    calls::{dispatch_many, refused, tenant},
    support::logins,
};

/// Twelve tenants, of which the n-th has n jobs waiting.
async fn twelve() -> Stage {
    let stage = Stage::new().await;
    for n in 1..=12 {
        let sql =
            "select fairclaim.dispatch_job(p_tenant => $1, p_type => 'send', p_queue => 'mail')";
        for _ in 0..n {
            stage.producer.execute(sql, &[&format!("Firm {n:02}")]).await.expect("dispatch_job");
        }
    }
    stage.refresh(6).await;
    stage.refresh(6).await;
    stage
}

/// All pages, as names and what waits.
async fn all(stage: &Stage, sort: &str, limit: i32) -> Vec<(String, i32)> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let sql = "select tenant, waiting, next, more from fairclaim.tenant_stats(p_sort => $1, p_limit => $2, p_after => $3)";
        let rows = stage.operator.query(sql, &[&sort, &limit, &after]).await.expect("tenant_stats");
        found.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        match rows.last() {
            Some(row) if row.get(3) => after = row.get(2),
            _ => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_every_tenant_once_in_the_order_of_the_figure() {
    let stage = twelve().await;
    let mut by_name: Vec<(String, i32)> = all(&stage, "tenant", 5).await;
    by_name.sort();
    assert_eq!(by_name, (1..=12).map(|n| (format!("Firm {n:02}"), n)).collect::<Vec<_>>());
    for limit in [1, 5, 100] {
        for sort in ["waiting", "dispatched"] {
            let found: Vec<i32> = all(&stage, sort, limit).await.iter().map(|row| row.1).collect();
            assert_eq!(found, (1..=12).rev().collect::<Vec<_>>(), "{sort} in pages of {limit}");
        }
        for sort in ["oldest", "running", "claimed", "finished", "failed", "seconds"] {
            assert_eq!(all(&stage, sort, limit).await.len(), 12, "{sort} in pages of {limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_found_by_a_part_of_its_name_or_its_id_or_its_queue() {
    let stage = twelve().await;
    let count = async |call: &str| -> i64 {
        let sql = format!("select count(*) from fairclaim.tenant_stats({call})");
        stage.operator.query_one(&sql, &[]).await.expect(&sql).get(0)
    };
    assert_eq!(count("p_search => 'firm 1'").await, 3);
    assert_eq!(count("p_search => 'firm'").await, 12);
    assert_eq!(count("p_search => 'nobody'").await, 0);
    assert_eq!(count("p_search => fairclaim.tenant_uuid('Firm 07')::text").await, 1);
    assert_eq!(count("fairclaim.tenant_uuid('Firm 07')").await, 1);
    assert_eq!(count("fairclaim.tenant_uuid('Firm 07'), 'mail'").await, 1);
    assert_eq!(count("p_queue => 'bill'").await, 0);
    assert_eq!(count("p_search => 'firm 1', p_sort => 'waiting'").await, 3);
}

#[tokio::test]
async fn bad_arguments_are_refused() {
    let stage = Stage::new().await;
    for call in [
        "tenant_stats(p_limit => 0)",
        "tenant_stats(p_limit => null)",
        "tenant_stats(p_sort => 'name')",
        "tenant_stats(p_sort => null)",
        "tenant_stats(p_search => '')",
        "tenant_stats(p_after => 'x')",
        "tenant_stats(p_after => 'waiting|1|1')",
        "tenant_stats(p_sort => 'waiting', p_after => 'waiting|NaN|1')",
        "tenant_stats(p_after => 'tenant|mail|-1')",
        "queue_stats(p_up_to => 0)",
    ] {
        let sql = format!("select * from fairclaim.{call}");
        refused(stage.operator.query(&sql, &[]).await, "JQ004");
    }
}

#[tokio::test]
async fn operators_and_observers_read_figures_and_nobody_else() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 2).await;
    stage.refresh(6).await;
    let calls = ["fairclaim.tenant_stats()", "fairclaim.queue_stats()"];
    for call in calls {
        let sql = format!("select * from {call}");
        for login in [logins::PLAIN_OPERATOR, logins::OPERATOR, logins::OBSERVER] {
            let rows = stage.db.session(login).await.query(&sql, &[]).await.expect(login);
            assert_eq!(rows.len(), 1, "{login}");
        }
        for login in [logins::WORKER, logins::PRODUCER, logins::TENANT, logins::STRANGER] {
            refused(stage.db.session(login).await.query(&sql, &[]).await, "42501");
        }
    }
    let sql = "select * from fairclaim.why_waiting($1, $2)";
    for login in [logins::OBSERVER, logins::WORKER, logins::TENANT, logins::STRANGER] {
        let session = stage.db.session(login).await;
        refused(session.query(sql, &[&tenant(1), &Uuid::nil()]).await, "42501");
    }
}
