//! Settings that an administrator puts on a login or a database: a whole round works under each, or is refused with what to do.

use fairclaim::{Error, JobFilter, Level, MigrateOptions};
use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{Settled, claim_job, claim_jobs, refused, settle, settle_after, tick},
    support::{Client, TestDb},
    worker::stage::{acme, job},
};

/// Settings that go together, since none of them hides what another does.
const BUNDLES: &[&[&str]] = &[
    &[
        "row_security = off",
        "idle_in_transaction_session_timeout = '20s'",
        "idle_session_timeout = '60s'",
    ],
    &["quote_all_identifiers = on", "extra_float_digits = -15", "default_toast_compression = pglz"],
    &["standard_conforming_strings = off", "escape_string_warning = on", "backslash_quote = off"],
    &[
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "timezone = 'Asia/Kathmandu'",
        "xmlbinary = hex",
    ],
    &[
        "datestyle = 'German'",
        "intervalstyle = iso_8601",
        "timezone = 'America/St_Johns'",
        "bytea_output = escape",
    ],
    &[
        "plpgsql.extra_errors = 'all'",
        "plpgsql.variable_conflict = error",
        "plpgsql.check_asserts = on",
    ],
    &[
        "plpgsql.variable_conflict = use_variable",
        "plpgsql.extra_warnings = 'all'",
        "track_functions = 'all'",
    ],
    &[
        "array_nulls = off",
        "transform_null_equals = on",
        "xmloption = document",
        "lc_messages = 'C'",
    ],
    &["search_path = nowhere", "check_function_bodies = on", "client_min_messages = error"],
    &["search_path = evil, public, pg_catalog", "default_transaction_deferrable = on"],
    &[
        "jit = on",
        "jit_above_cost = 0",
        "jit_inline_above_cost = 0",
        "plan_cache_mode = force_generic_plan",
    ],
    &[
        "plan_cache_mode = force_custom_plan",
        "enable_indexscan = off",
        "enable_nestloop = off",
        "join_collapse_limit = 1",
    ],
    &[
        "enable_hashjoin = off",
        "enable_sort = off",
        "from_collapse_limit = 1",
        "geqo_threshold = 2",
        "enable_bitmapscan = off",
    ],
    &[
        "work_mem = '64kB'",
        "lock_timeout = '20s'",
        "statement_timeout = '30s'",
        "default_statistics_target = 1",
    ],
    &[
        "session_replication_role = replica",
        "synchronous_commit = off",
        "constraint_exclusion = on",
    ],
];

/// A schema that stands first in somebody's path, and has what our functions would find in it if they looked.
const EVIL: &str = "
    create schema evil; grant usage on schema evil to public;
    create table evil.job (x int); create table evil.ready (x int); create table evil.pg_class (x int);
    create function evil.now() returns timestamptz language sql as 'select null::timestamptz';
    create function evil.format(text, variadic text[]) returns text language sql as 'select null::text';
    create function evil.count(anyelement) returns int language sql as 'select 0';
    create function evil.greatest_of(anyelement, anyelement) returns anyelement language sql as 'select null::text';
    create function evil.eq(uuid, uuid) returns boolean language sql as 'select false';
    create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.eq)";

async fn ids(session: &Client, sql: &str) -> Vec<Uuid> {
    session.query(sql, &[]).await.expect(sql).iter().map(|row| row.get("id")).collect()
}

/// Dispatch, claim, settle in several ways, cancel, retry, release, tick, prune, lists: all in new sessions.
async fn round(db: &TestDb) {
    let producer = db.direct_client("test_producer").await;
    for _ in 0..4 {
        let jobs =
            (0..5).map(|n| job("mail", json!({"n": n, "text": "it's \\ \u{e9}"})).tag("a b"));
        producer.dispatch_many(jobs).await.expect("dispatch_many");
    }
    producer.dispatch(job("mail", json!({})).priority(3)).await.expect("dispatch");
    let worker = db.direct_session("test_worker").await;
    let mut held = claim_jobs(&worker, 10, &mut None).await;
    held.extend(claim_job(&worker, "worker").await);
    assert_eq!(held.len(), 11);
    let extend = "select accepted from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid])";
    let row = worker.query_one(extend, &[&held[0].id, &held[0].attempts, &held[0].token]).await;
    assert!(row.expect("extend_leases").get::<_, bool>(0));
    for (outcome, delay, status) in [
        ("complete", None, "completed"),
        ("fail", None, "failed"),
        ("retry", Some(60.0), "scheduled"),
        ("snooze", Some(1.0), "scheduled"),
        ("release", None, "pending"),
    ] {
        let settled = settle_after(&worker, &held.remove(0), outcome, delay).await;
        assert_eq!(settled, Settled::as_status(status), "{outcome}");
    }
    assert_eq!(settle(&worker, &held.remove(0), "complete").await, Settled::as_status("completed"));
    let bad = "select fairclaim.claim_job(E'w\\u0085')";
    drop(refused(worker.query(bad, &[]).await, "JQ004"));
    let bad = "select fairclaim.claim_jobs('w', null, 1, p_cursor => 'a|b')";
    drop(refused(worker.query(bad, &[]).await, "JQ004"));

    let operator = db.direct_client("test_operator").await;
    let running = held[0].id;
    operator.cancel(None, &[running]).await.expect("cancel");
    operator.release(None, &[running]).await.expect("release");
    operator.retry(None, &[running]).await.expect("retry");
    assert!(operator.release_worker("worker", 1000).await.expect("release_worker").len() >= 4);
    tick(&worker).await;
    operator.prune(None).await.expect("prune");
    let filter = JobFilter { tenant: Some(acme()), ..JobFilter::default() };
    assert!(operator.jobs(&filter).await.expect("jobs").jobs.len() >= 20);
    assert!(operator.job(running).await.expect("job").is_some());
    assert!(!operator.queues().await.expect("queues").is_empty());
    let waiting = JobFilter { job_type: Some("mail".to_owned()), ..filter };
    operator.cancel_where(&waiting, |_| ()).await.expect("cancel_where");
    tick(&worker).await;
    let session = db.direct_session("test_operator").await;
    assert!(!ids(&session, "select * from fairclaim.list_jobs()").await.is_empty());
}

async fn set(db: &TestDb, settings: &[&str]) {
    let superuser = db.superuser_here().await;
    for setting in settings {
        let statement = format!("alter database {} set {setting}", db.name());
        superuser.batch_execute(&statement).await.expect(setting);
    }
}

async fn works_under(bundles: &[&[&str]]) {
    let db = TestDb::new().await;
    db.superuser_here().await.batch_execute(EVIL).await.expect("a schema of somebody");
    for bundle in bundles {
        eprintln!("{bundle:?}");
        set(&db, bundle).await;
        let installer = db.direct_client("test_installer").await;
        installer.migrate(&MigrateOptions::default()).await.expect("migrate");
        installer.pool().close();
        round(&db).await;
        let operator = db.direct_client("test_operator").await;
        let diagnosis = operator.diagnose().await.expect("a diagnosis");
        let errors: Vec<_> = diagnosis
            .findings
            .iter()
            .filter(|found| found.level == Level::Error || found.name == "failed_check")
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let reset = format!("alter database {} reset all", db.name());
        db.superuser_here().await.batch_execute(&reset).await.expect("reset");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_under_settings_that_change_how_texts_are_read_and_written() {
    works_under(&BUNDLES[..8]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_under_settings_that_change_names_plans_and_limits() {
    works_under(&BUNDLES[8..]).await;
}

/// An installation made under such a setting is the same as any other.
#[tokio::test(flavor = "multi_thread")]
async fn an_installer_whose_settings_are_odd_installs_and_works() {
    for bundle in [BUNDLES[0], BUNDLES[1], BUNDLES[2], BUNDLES[5], BUNDLES[8]] {
        let db = TestDb::empty().await;
        set(&db, bundle).await;
        works_after_installing(&db).await;
    }
}

async fn works_after_installing(db: &TestDb) {
    let installer = db.direct_client("test_installer").await;
    installer.migrate(&MigrateOptions::default()).await.expect("migrate");
    round(db).await;
    let diagnosis = installer.diagnose().await.expect("a diagnosis");
    let broken = ["functions", "function_security", "function_access", "row_security"];
    for found in diagnosis.findings.iter().filter(|found| broken.contains(&found.name.as_str())) {
        assert_eq!(found.level, Level::Ok, "{found:?}");
    }
}

/// A login that takes backups: its functions work, and only what shows it a part of the rows is refused, with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_row_security_is_off_is_told_so_when_it_reads_a_view() {
    let db = TestDb::new().await;
    let trust =
        "insert into fairclaim_internal.login_tenant values ('test_tenant', 'setting', null)";
    db.owner().await.batch_execute(trust).await.expect("a trusted login");
    set(&db, &["row_security = off"]).await;
    let id = db.direct_client("test_producer").await.dispatch(job("mail", json!({}))).await;
    id.expect("dispatch");
    let customer = db.direct_session("test_tenant").await;
    let tenant = format!("set fairclaim.tenant_id = '{}'", acme().uuid());
    customer.batch_execute(&tenant).await.expect("set");
    let error = customer.query("select * from fairclaim.job_overview", &[]).await;
    assert!(
        Error::from(error.expect_err("it would see a part"))
            .hint()
            .is_some_and(|hint| hint.contains("row_security = on"))
    );
    customer.batch_execute("set row_security = on").await.expect("set");
    let rows = customer.query("select * from fairclaim.job_overview", &[]).await;
    assert_eq!(rows.expect("its own").len(), 1);
    let diagnosis = db.direct_client("test_operator").await.diagnose().await.expect("a diagnosis");
    assert!(diagnosis.findings.iter().any(|found| found.name == "row_security_off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_only_read_is_refused_with_what_to_reset() {
    let db = TestDb::new().await;
    set(&db, &["default_transaction_read_only = on"]).await;
    let producer = db.direct_client("test_producer").await;
    let error = producer.dispatch(job("mail", json!({}))).await.expect_err("read-only");
    assert_eq!(error.sqlstate(), Some("25006"), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("default_transaction_read_only")));
    let installer = db.direct_client("test_installer").await;
    let error = installer.migrate(&MigrateOptions::default()).await.expect_err("read-only");
    assert!(error.hint().is_some_and(|hint| hint.contains("default_transaction_read_only")));
    let operator = db.direct_client("test_operator").await;
    assert!(operator.jobs(&JobFilter::default()).await.expect("jobs").jobs.is_empty());
}

/// Producers may use any isolation; claims say which they need.
#[tokio::test(flavor = "multi_thread")]
async fn under_another_isolation_dispatch_works_and_claims_say_what_they_need() {
    for level in ["repeatable read", "serializable"] {
        let db = TestDb::new().await;
        set(&db, &[&format!("default_transaction_isolation = '{level}'")]).await;
        let producer = db.direct_client("test_producer").await;
        let id = producer.dispatch(job("mail", json!({}))).await.expect("dispatch");
        let worker = db.direct_session("test_worker").await;
        let error = refused(worker.query("select fairclaim.claim_job('w')", &[]).await, "JQ004");
        assert!(error.hint().is_some_and(|hint| hint.contains("read committed")), "{error:?}");
        let operator = db.direct_client("test_operator").await;
        assert_eq!(operator.release(None, &[id]).await.expect("release").len(), 1);
        operator.cancel(None, &[id]).await.expect("cancel");
        assert!(
            ids(&db.direct_session("test_operator").await, "select * from fairclaim.list_jobs()")
                .await
                .contains(&id)
        );
    }
}
