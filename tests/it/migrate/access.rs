//! What an installation leaves behind: pinned functions, row security everywhere, and nothing for anybody else.

use tokio_postgres::error::SqlState;

use crate::support::TestDb;

/// The lines of a query that must have none.
async fn none(db: &TestDb, what: &str, sql: &str) {
    let rows = db.owner().await.query(sql, &[]).await.expect("the catalog");
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn definer_functions_pin_their_search_path() {
    let db = TestDb::new().await;
    none(
        &db,
        "definer functions without a pinned path",
        "select p.oid::regprocedure::text from pg_proc p
          where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.prosecdef
            and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, fairclaim_internal, pg_temp']",
    )
    .await;
    none(
        &db,
        "functions of another owner",
        "select p.oid::regprocedure::text from pg_proc p
          where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proowner <> 'fairclaim_owner'::regrole",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_anybodys_but_our_roles() {
    let db = TestDb::new().await;
    none(
        &db,
        "functions that PostgreSQL gives to public by default",
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proacl is null",
    )
    .await;
    none(
        &db,
        "grants to somebody who is not a role of ours",
        "select x.what || ' to ' || coalesce(nullif(x.grantee, 0)::regrole::text, 'public')
           from (select p.oid::regprocedure::text, a.grantee from pg_proc p, aclexplode(p.proacl) a
                  where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
                 union all
                 select c.relname, a.grantee from pg_class c, aclexplode(c.relacl) a where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
                 union all
                 select c.relname || '.' || t.attname, a.grantee from pg_class c join pg_attribute t on t.attrelid = c.oid,
                        aclexplode(t.attacl) a where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
                 union all
                 select n.nspname, a.grantee from pg_namespace n, aclexplode(n.nspacl) a where n.nspname in ('fairclaim', 'fairclaim_internal')) x(what, grantee)
          where not exists (select from pg_roles r where r.oid = x.grantee and r.rolname ~ '^fairclaim_(owner|worker|producer|tenant|operator|auditor|observer)$')",
    )
    .await;
    none(
        &db,
        "objects of the schema outside of it",
        "select p.oid::regprocedure::text from pg_proc p
          where p.proowner = 'fairclaim_owner'::regrole and p.pronamespace <> all ('{fairclaim,fairclaim_internal}'::regnamespace[])",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_has_row_security_enabled_and_forced() {
    let db = TestDb::with_test_clock().await;
    let worker = db.worker().await;
    for _ in 0..5 {
        db.advance("2 days").await;
        crate::calls::tick(&worker).await; // makes ranges, which are tables too
    }
    none(
        &db,
        "tables without row security",
        "select c.relname::text from pg_class c where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.relkind in ('r', 'p')
            and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .await;
    none(
        &db,
        "views that run as their owner",
        "select c.relname::text from pg_class c where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.relkind in ('v', 'm')
            and not coalesce(c.reloptions, '{}') @> array['security_invoker=true']",
    )
    .await;
}

/// A visitor of the REST interface, signed in or not, has no role of ours: the origin let such a one claim everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing() {
    let db = TestDb::new().await;
    db.producer()
        .await
        .batch_execute("select fairclaim.dispatch_job(gen_random_uuid(), 'mail')")
        .await
        .expect("dispatch");
    let stranger = db.stranger().await;
    for statement in [
        "select * from fairclaim.claim_job('stranger')",
        "select * from fairclaim.claim_jobs('stranger', null, 10)",
        "select fairclaim.dispatch_job(gen_random_uuid(), 'mail')",
        "select * from fairclaim.tick()",
        "select * from fairclaim.list_jobs()",
        "select * from fairclaim.job_queue",
        "select * from fairclaim.job_overview",
        "select * from fairclaim_internal.job",
        "select fairclaim.clock()",
        "set role fairclaim_owner",
        "set role fairclaim_worker",
    ] {
        let error = stranger.batch_execute(statement).await.expect_err(statement);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error}");
    }
    none(
        &db,
        "what a stranger may use",
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
            and has_function_privilege('test_stranger', p.oid, 'execute')
         union all
         select c.relname from pg_class c where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.relkind in ('r', 'p', 'v')
            and (has_table_privilege('test_stranger', c.oid, 'select, insert, update, delete')
                 or has_any_column_privilege('test_stranger', c.oid, 'select'))
         union all
         select s.seqrelid::regclass::text from pg_sequence s
          where has_sequence_privilege('test_stranger', s.seqrelid, 'usage, select, update')",
    )
    .await;
}
