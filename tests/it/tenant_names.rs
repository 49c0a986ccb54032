//! Tenants that a dispatch names: remembered once, without making dispatches wait for each other, and shown to those who serve all.

use fairclaim::{DefaultTenant, Dispatch, JobFilter, Tenant, TenantNames};
use serde_json::json;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use crate::{
    calls::{dispatch, dispatch_batch, refused, tenant, tick},
    support::{Client, GenericClient, TestDb},
    worker::stage::{Stage, acme, job},
};

const NAMED: &str = "select fairclaim.dispatch_job(p_tenant => $1, p_type => 'mail')";

async fn dispatch_for(producer: &impl GenericClient, name: &str) -> Uuid {
    producer.query_one(NAMED, &[&name]).await.expect("dispatch_job").get(0)
}

async fn uuid_of(session: &Client, name: &str) -> Uuid {
    let sql = "select fairclaim.tenant_uuid($1)";
    session.query_one(sql, &[&name]).await.expect("tenant_uuid").get(0)
}

/// How many names are noted, and how many are kept.
async fn noted_and_kept(owner: &Client) -> [i64; 2] {
    let sql = "select (select count(*) from fairclaim_internal.tenant_note), (select count(*) from fairclaim_internal.tenant_name)";
    let row = owner.query_one(sql, &[]).await.expect(sql);
    [row.get(0), row.get(1)]
}

/// What a call of `tenant_names` answers, by name.
async fn names(session: &Client, ids: &[Uuid]) -> Vec<(Uuid, String)> {
    let sql = "select tenant_id, name from fairclaim.tenant_names($1) order by name";
    let rows = session.query(sql, &[&ids]).await.expect("tenant_names");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_dispatch_by_name_is_one_for_the_uuid_of_that_name_and_remembers_it_once() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let acme = uuid_of(&producer, "acme").await;
    for _ in 0..3 {
        dispatch_for(&producer, "acme").await;
    }
    let job = json!({"tenant": "acme", "type": "mail"});
    dispatch_batch(&producer, &vec![job; 3]).await;
    assert_eq!(noted_and_kept(&owner).await, [1, 0], "one note, however many jobs");
    let owners =
        "select count(*), count(*) filter (where tenant_id = $1) from fairclaim_internal.job";
    let row = owner.query_one(owners, &[&acme]).await.expect(owners);
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (6, 6));
    assert_eq!(names(&worker, &[acme]).await, [(acme, "acme".to_owned())], "before any tick");

    tick(&worker).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 1]);
    assert_eq!(names(&worker, &[acme]).await, [(acme, "acme".to_owned())]);
    dispatch_for(&producer, "acme").await;
    dispatch_batch(&producer, &[json!({"tenant": "acme", "type": "mail"})]).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 1], "a name that is kept is not noted again");
}

#[tokio::test]
async fn a_dispatch_by_uuid_notes_nothing_whether_it_is_given_as_id_or_as_name() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    dispatch(&producer, tenant(1), "mail").await;
    dispatch_batch(&producer, &[json!({"tenant_id": tenant(1), "type": "mail"})]).await;
    dispatch_for(&producer, &tenant(1).to_string().to_uppercase()).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 0]);
    let others = "select count(*) from fairclaim_internal.job where tenant_id <> $1";
    let row = owner.query_one(others, &[&tenant(1)]).await.expect(others);
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_batch_may_name_tenants_by_id_by_name_and_by_number() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let jobs = [
        json!({"tenant_id": tenant(1), "type": "mail"}),
        json!({"tenant": "acme", "type": "mail"}),
        json!({"tenant": 42, "type": "mail", "tenant_id": null}),
        json!({"tenant": "42", "type": "mail"}),
    ];
    let ids = dispatch_batch(&producer, &jobs).await;
    let (acme, number) = (uuid_of(&producer, "acme").await, uuid_of(&producer, "42").await);
    for (id, expected) in ids.iter().zip([tenant(1), acme, number, number]) {
        let sql = "select tenant_id from fairclaim_internal.job where id = $1";
        let found: Uuid = owner.query_one(sql, &[id]).await.expect(sql).get(0);
        assert_eq!(found, expected);
    }
    assert_eq!(noted_and_kept(&owner).await, [2, 0]);
}

#[tokio::test]
async fn two_transactions_that_use_a_new_name_at_once_do_not_wait_for_each_other() {
    let db = TestDb::new().await;
    let (mut first, second) = (db.producer().await, db.direct_session("test_producer").await);
    let (worker, owner) = (db.worker().await, db.owner().await);
    let open = first.transaction().await.expect("begin");
    dispatch_for(&open, "acme").await;
    second.batch_execute("set lock_timeout = '10ms'").await.expect("set");
    dispatch_for(&second, "acme").await;
    tick(&worker).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 1]);
    open.commit().await.expect("commit");
    assert_eq!(noted_and_kept(&owner).await, [1, 1]);
    tick(&worker).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 1], "the same name is kept once");
}

#[tokio::test]
async fn serializable_producers_that_use_new_names_do_not_collide() {
    let db = TestDb::new().await;
    let (worker, owner, mut apps) = (db.worker().await, db.owner().await, Vec::new());
    for _ in 0..4 {
        apps.push(db.direct_session("test_producer").await);
    }
    for round in 0..3 {
        let mut open = Vec::new();
        for app in &mut apps {
            let level = IsolationLevel::Serializable;
            open.push(app.build_transaction().isolation_level(level).start().await.expect("begin"));
        }
        for (n, app) in open.iter().enumerate() {
            dispatch_for(app, "everybody").await;
            dispatch_for(app, &format!("tenant {round} {n}")).await;
            dispatch_batch(app, &[json!({"tenant": "all", "type": "mail"})]).await;
        }
        for app in open {
            app.commit().await.expect("a producer that need not repeat its transaction");
        }
        tick(&worker).await;
    }
    assert_eq!(noted_and_kept(&owner).await, [0, 2 + 3 * 4]);
}

#[tokio::test]
async fn names_go_with_the_transaction_that_used_them() {
    let db = TestDb::new().await;
    let (mut producer, owner) = (db.producer().await, db.owner().await);
    let open = producer.transaction().await.expect("begin");
    dispatch_for(&open, "acme").await;
    open.rollback().await.expect("rollback");
    let bad = "select fairclaim.dispatch_job(p_tenant => 'bolt', p_type => 'no type')";
    refused(producer.query(bad, &[]).await, "JQ004");
    assert_eq!(noted_and_kept(&owner).await, [0, 0]);
}

/// A slice has 5,000 notes at most.
#[tokio::test]
async fn a_tick_keeps_a_bounded_number_of_names_and_the_next_goes_on() {
    let db = TestDb::new().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let many = "insert into fairclaim_internal.tenant_note (tenant_id, name)
                select fairclaim.tenant_uuid('t' || n), 't' || n from generate_series(1, 6000) n";
    owner.batch_execute(many).await.expect(many);
    let failed: Vec<String> = tick(&worker).await.get("failed");
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(noted_and_kept(&owner).await, [1000, 5000]);
    tick(&worker).await;
    assert_eq!(noted_and_kept(&owner).await, [0, 6000]);
}

#[tokio::test]
async fn only_workers_and_operators_may_ask_for_names() {
    let db = TestDb::new().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    dispatch_for(&producer, "acme").await;
    let acme = uuid_of(&producer, "acme").await;
    assert_eq!(names(&operator, &[acme, tenant(1), acme]).await, [(acme, "acme".to_owned())]);
    assert_eq!(names(&operator, &[]).await, []);
    let fixed = "insert into fairclaim_internal.login_tenant values ('test_tenant', 'fixed', $1)";
    db.owner().await.execute(fixed, &[&tenant(1)]).await.expect(fixed);
    for session in [db.tenant().await, db.producer().await, db.stranger().await] {
        let sql = "select * from fairclaim.tenant_names($1)";
        refused(session.query(sql, &[&vec![acme]]).await, "42501");
        for table in ["tenant_name", "tenant_note"] {
            let read = format!("select * from fairclaim_internal.{table}");
            refused(session.query(&read, &[]).await, "42501");
        }
    }
    let many = "select * from fairclaim.tenant_names(array_fill(gen_random_uuid(), array[10001]))";
    let error = refused(operator.query(many, &[]).await, "JQ004");
    assert!(error.message().starts_with("p_tenant_ids: "), "{}", error.message());
    refused(operator.query("select * from fairclaim.tenant_names(null)", &[]).await, "JQ004");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_sends_a_name_and_shows_it_beside_the_id() {
    let stage = Stage::new().await;
    let id = stage.dispatch("mail", json!({})).await; // for acme
    let many = vec![job("mail", json!(1)), Dispatch::raw(tenant(1), "mail", 2).expect("a job")];
    stage.producer.dispatch_many(many).await.expect("dispatch_many");
    let found = stage.job(id).await;
    assert_eq!((found.tenant.as_deref(), &found.tenant_id), (Some("acme"), &acme()));
    let page = stage.operator.jobs(&JobFilter::new()).await.expect("jobs");
    let shown: Vec<_> = page.jobs.iter().map(|job| job.tenant.as_deref()).collect();
    assert_eq!(shown, [None, Some("acme"), Some("acme")]);

    let names = TenantNames::new(stage.db.client("test_worker").await);
    let label = names.label(acme().uuid()).await;
    assert_eq!(label, format!("acme ({})", acme().uuid()));
    assert_eq!(names.label(tenant(1)).await, tenant(1).to_string());
    let forget = "delete from fairclaim_internal.tenant_note";
    stage.db.owner().await.batch_execute(forget).await.expect(forget);
    assert_eq!(names.label(acme().uuid()).await, label, "it is asked for once");
    let stranger = TenantNames::new(stage.db.client("test_producer").await);
    assert_eq!(stranger.label(acme().uuid()).await, acme().uuid().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_one_tenant_names_it_once_in_the_settings() {
    let stage = Stage::new().await;
    let for_nobody = || Dispatch::raw(DefaultTenant, "mail", 1).expect("a job");
    for refused in [
        stage.producer.dispatch(for_nobody()).await.map(|id| vec![id]),
        stage.producer.dispatch_many([job("mail", json!(1)), for_nobody()]).await,
    ] {
        let error = refused.expect_err("there is no default tenant");
        assert_eq!(error.code(), Some("JQ002"));
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("fairclaim settings set default_tenant app"), "{hint}");
    }
    assert_eq!(
        stage.producer.cancel(None, &[tenant(1)]).await.map_err(|error| error.code()),
        Err(Some("JQ002"))
    );

    stage.operator.set_setting("default_tenant", Some("app")).await.expect("set_setting");
    let app = Tenant::named("app").expect("a name");
    let mut ids = vec![stage.producer.dispatch(for_nobody()).await.expect("dispatch")];
    let many = [for_nobody(), job("mail", json!(1)), for_nobody()];
    ids.extend(stage.producer.dispatch_many(many).await.expect("dispatch_many"));
    let owners = [&app, &app, &acme(), &app];
    for (id, owner) in ids.iter().zip(owners) {
        assert_eq!(&stage.job(*id).await.tenant_id, owner);
    }
    assert_eq!(stage.job(ids[0]).await.tenant.as_deref(), Some("app"));
    let found = stage.producer.get_jobs(DefaultTenant, &ids).await.expect("get_jobs");
    let found: Vec<Uuid> = found.iter().map(|job| job.id).collect();
    assert_eq!(found, [ids[0], ids[1], ids[3]], "its own, and not acme's");
    let changed = stage.producer.cancel(None, &ids).await.expect("cancel");
    let cancelled: Vec<bool> = changed.iter().map(|job| job.status.is_some()).collect();
    assert_eq!(cancelled, [true, true, false, true]);
    let retried = stage.producer.retry(None, &ids[..1]).await.expect("retry");
    assert_eq!(retried[0].status, Some(fairclaim::Status::Pending));
}
