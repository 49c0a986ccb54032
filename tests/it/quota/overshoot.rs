//! By how much dispatchers that do not see each other pass a quota.

use tokio::task::JoinSet;

use super::Stage;
use crate::{
    calls::tenant,
    support::{Client, TestDb},
};

const DISPATCHERS: i32 = 8;
const MOST: i32 = 60;

/// Each dispatches until it is refused ten times in a row.
async fn hammer(producer: Client) {
    let sql = "select fairclaim.dispatch_job($1, 'mail')";
    let mut refusals = 0;
    while refusals < 10 {
        match producer.query_one(sql, &[&tenant(1)]).await {
            Ok(_) => refusals = 0,
            Err(error) => {
                assert_eq!(error.code().expect("a code").code(), "JQ003", "{error}");
                refusals += 1;
            }
        }
    }
}

async fn producers(db: &TestDb) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..DISPATCHERS {
        clients.push(db.producer().await);
    }
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn single_dispatches_pass_a_quota_by_less_than_their_number() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", MOST, true).await;
    let clients = producers(&stage.db).await;
    clients.into_iter().map(hammer).collect::<JoinSet<()>>().join_all().await;
    let waiting = stage.waiting(tenant(1)).await;
    let bound = i64::from(MOST) + i64::from(DISPATCHERS) - 1;
    assert!((i64::from(MOST)..=bound).contains(&waiting), "{waiting} wait, at most {bound} may");
}

/// The control: what transactions put in that are open at the same time is not seen by the others, so the bound is reached, and one
/// that assumed no overshoot would be wrong.
#[tokio::test]
async fn open_transactions_pass_it_by_what_they_put_in_and_the_next_one_is_refused() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", MOST, true).await;
    let clients = producers(&stage.db).await;
    let sql = "select fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail')) from generate_series(1, $2::int)))";
    for client in &clients {
        client.batch_execute("begin").await.expect("begin");
        client.execute(sql, &[&tenant(1), &MOST]).await.expect("as much as the quota lets in");
        let more = client.query("savepoint more", &[]).await;
        more.expect("savepoint");
        let one = client.query("select fairclaim.dispatch_job($1, 'mail')", &[&tenant(1)]).await;
        crate::calls::refused(one, "JQ003"); // it sees its own jobs
        client.batch_execute("rollback to more").await.expect("rollback");
    }
    for client in &clients {
        client.batch_execute("commit").await.expect("commit");
    }
    let all = i64::from(MOST) * i64::from(DISPATCHERS);
    assert_eq!(stage.waiting(tenant(1)).await, all, "each saw room for all of it");
    let one = "select fairclaim.dispatch_job($1, 'mail')";
    crate::calls::refused(clients[0].query(one, &[&tenant(1)]).await, "JQ003");
}
