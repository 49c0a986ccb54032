//! Settings of a session behind a pooler: what is set for a transaction stays with its client, what is set for the session
//! reaches somebody else.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::Behind;
use crate::{
    calls::{dispatch_many, tenant},
    support::{Client, logins},
};

/// Whose jobs a client sees, and how many.
const SEEN: &str = "select count(*), count(distinct tenant_id), min(tenant_id::text)::uuid
                      from fairclaim.job_overview";

/// A login that may say which tenant it is, and eight jobs for each of eight tenants.
async fn eight_tenants() -> Behind {
    let behind = Behind::new().await;
    let producer = behind.db.producer().await;
    for n in 1..=8 {
        dispatch_many(&producer, tenant(n), "default", "mail", 8).await;
    }
    let listed = "insert into fairclaim_internal.login_tenant (login, source) values ('test_tenant', 'setting')";
    behind.db.owner().await.batch_execute(listed).await.expect("login_tenant");
    behind
}

/// What a client sees in a transaction of its own, for which it says who it is.
async fn seen_as(client: &mut Client, who: Uuid) -> (i64, i64, Uuid) {
    let transaction = client.transaction().await.expect("begin");
    let set = "select set_config('fairclaim.tenant_id', $1, true)";
    transaction.query_typed(set, &[(&who.to_string(), Type::TEXT)]).await.expect("set_config");
    let rows = transaction.query_typed(SEEN, &[]).await.expect("job_overview");
    let row = rows.first().expect("a row");
    let seen = (row.get(0), row.get(1), row.get(2));
    transaction.commit().await.expect("commit");
    seen
}

/// The SQLSTATE of an answer to a client that says nothing.
async fn refused(client: &Client) -> Option<String> {
    let error = client.query_typed(SEEN, &[]).await.err()?;
    error.code().map(|code| code.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_set_for_a_transaction_never_reaches_another_client() {
    let behind = eight_tenants().await;
    let mut tasks = Vec::new();
    for n in 1..=8 {
        let mut client = behind.raw(logins::TENANT).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                assert_eq!(seen_as(&mut client, tenant(n)).await, (8, 1, tenant(n)));
                assert_eq!(
                    refused(&client).await.as_deref(),
                    Some("JQ002"),
                    "nobody's setting is left"
                );
            }
        }));
    }
    for task in tasks {
        task.await.expect("every client saw its own");
    }
}

/// The control of the test above: the same clients, with the mistake that a session's setting is behind a pooler.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_set_for_the_session_reaches_the_next_client() {
    let behind = eight_tenants().await;
    let (careless, mut other) =
        (behind.raw(logins::TENANT).await, behind.raw(logins::TENANT).await);
    assert_eq!(refused(&other).await.as_deref(), Some("JQ002"));
    let mistake = format!("set fairclaim.tenant_id = '{}'", tenant(3));
    careless.batch_execute(&mistake).await.expect("set");
    // the other one has said nothing, and is taken for tenant 3
    let rows = other.query_typed(SEEN, &[]).await.expect("it should have been refused");
    assert_eq!(rows[0].get::<_, Uuid>(2), tenant(3), "the leak that the test above looks for");
    // who says so for each transaction is safe even then
    assert_eq!(seen_as(&mut other, tenant(5)).await, (8, 1, tenant(5)));
}
