//! Line 5: workers serve everybody, a tenant sees itself.

use crate::calls::{Settled, claim_jobs, dispatch, dispatch_many, refused, settle, tenant};
use crate::support::{Client, TestDb};

#[tokio::test]
async fn line_5_workers_serve_all_tenants_and_a_tenant_sees_its_own_only() {
    let db = TestDb::new().await;
    let (producer, worker, owner, login) =
        (db.producer().await, db.worker().await, db.owner().await, db.tenant().await);
    for n in 1..=3 {
        dispatch(&producer, tenant(n), "mail").await;
        dispatch_many(&producer, tenant(n), "default", "report", 10).await;
    }
    let open = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname in ('fairclaim', 'fairclaim_internal') and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)";
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
            "insert into fairclaim_internal.login_tenant (login, source) values ($1::text::name, 'setting')",
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
        "select lease_token from fairclaim_internal.running",
        "select fairclaim.dispatch_job('7e4a0000-0000-4000-8000-000000000002', 'mail')",
        "delete from fairclaim_internal.job",
        "insert into fairclaim_internal.login_tenant values ('x', 'setting', null)",
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
