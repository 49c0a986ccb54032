//! The whole catalog of an installation, compared with what sql/schema.golden.sql says of it: a grant, a policy, an index or
//! a search path that changes is seen in the diff of a change, or it turns this red.

mod diff;
mod reference;
mod written;

use crate::{
    calls::tick,
    support::{CATALOG, TestDb},
};

use diff::diff;

/// What the file begins with.
const HEAD: &str = "\
-- The catalog of the schema fairclaim as a fresh installation leaves it. Written by `cargo xtask golden`, compared by a test.
-- It is there to be read in the diff of a change; nothing executes it. Names of ranges have <range> for their time.
";

/// The catalog as the text of the file.
async fn catalog(db: &TestDb) -> String {
    format!("{HEAD}\n{}\n", db.catalog().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_as_written_down() {
    written::assert_as_written("sql/schema.golden.sql", &catalog(&TestDb::new().await).await);
}

/// A change, and the lines that the diff must show for it.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "grant execute on function fairclaim.tick to fairclaim_tenant",
        &["+ grant execute on function fairclaim.tick to fairclaim_tenant;"],
    ),
    (
        "revoke execute on function fairclaim.claim_job from fairclaim_worker",
        &["- grant execute on function fairclaim.claim_job to fairclaim_worker;"],
    ),
    (
        "grant execute on function fairclaim_internal.refuse to public",
        &["+ grant execute on function fairclaim_internal.refuse to public;"],
    ),
    (
        "revoke insert on fairclaim_internal.job from fairclaim_owner",
        &[
            "+ -- of the owner's rights on fairclaim_internal.job only: delete, references, select, trigger, truncate, update",
        ],
    ),
    (
        "grant select (lease_token) on fairclaim_internal.running to fairclaim_observer with grant option",
        &[
            "+ grant select (lease_token) on fairclaim_internal.running to fairclaim_observer with grant option;",
        ],
    ),
    (
        "grant usage on sequence fairclaim_internal.ready_seq to fairclaim_worker",
        &["+ grant usage on sequence fairclaim_internal.ready_seq to fairclaim_worker;"],
    ),
    (
        "drop index fairclaim_internal.lane_walk",
        &["- CREATE INDEX lane_walk ON fairclaim_internal.lane"],
    ),
    (
        "create index on fairclaim_internal.lane (turn)",
        &["+ CREATE INDEX lane_turn_idx ON fairclaim_internal.lane"],
    ),
    (
        "alter function fairclaim.tick() set search_path = public",
        &[
            "-   set search_path=pg_catalog, fairclaim_internal, pg_temp;",
            "+   set search_path=public;",
        ],
    ),
    (
        "alter function fairclaim.prune security invoker stable",
        &["-   language plpgsql volatile security definer", "+   language plpgsql stable"],
    ),
    (
        "create function fairclaim.tick(p_more int default 7) returns int language sql as 'select 1'",
        &["+ create function fairclaim.tick(p_more integer DEFAULT 7)", "+   returns integer"],
    ),
    (
        "alter table fairclaim_internal.ready no force row level security",
        &[
            "- alter table fairclaim_internal.ready enable row level security, force row level security;",
            "+ alter table fairclaim_internal.ready enable row level security, no force row level security;",
        ],
    ),
    (
        "alter policy tenant_read on fairclaim_internal.job using (true)",
        &[
            "- create policy tenant_read on fairclaim_internal.job as permissive for select to fairclaim_tenant using ((tenant_id =",
            "+ create policy tenant_read on fairclaim_internal.job as permissive for select to fairclaim_tenant using (true);",
        ],
    ),
    (
        "alter table fairclaim_internal.queue alter paused_at set default 'infinity', add check (name <> '')",
        &[
            "-   paused_at timestamp with time zone,",
            "+   paused_at timestamp with time zone default 'infinity'::timestamp with time zone,",
            "+   constraint queue_name_check CHECK ((name <> ''::text)),",
        ],
    ),
    (
        "alter table fairclaim_internal.tenant_name set unlogged",
        &[
            "- create table fairclaim_internal.tenant_name (",
            "+ create unlogged table fairclaim_internal.tenant_name (",
        ],
    ),
    (
        "alter table fairclaim_internal.lane set (fillfactor = 100)",
        &["- ) with (fillfactor=", "+ ) with ("],
    ),
    (
        "alter table fairclaim_internal.attempt_error alter error set storage external",
        &["-   error jsonb,", "+   error jsonb storage external,"],
    ),
    (
        "alter table fairclaim_internal.queue alter name set (n_distinct = 7)",
        &["+   name text collate \"C\" not null set (n_distinct=7),"],
    ),
    ("alter sequence fairclaim_internal.ready_seq cache 32", &["cache 1;", "cache 32;"]),
    (
        "alter view fairclaim.job_queue reset (security_invoker)",
        &["+ create view fairclaim.job_queue as"],
    ),
    ("create type fairclaim.mood as enum ('good')", &["+ create type fairclaim.mood;"]),
    (
        "alter default privileges for role fairclaim_owner grant execute on functions to public",
        &["- alter default privileges for role fairclaim_owner: execute on new functions"],
    ),
];

/// Were the text blind for something, the comparison would be green whatever became of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_shows() {
    let db = TestDb::new().await;
    let before = catalog(&db).await;
    let mut owner = db.owner().await;
    for (change, expected) in CHANGES {
        let open = owner.transaction().await.expect("begin");
        open.batch_execute(change).await.expect(change);
        open.batch_execute("set local search_path = pg_catalog").await.expect("set");
        let row = open.query_one(CATALOG, &[]).await.expect("the catalog");
        let told = diff(&before, &format!("{HEAD}\n{}\n", row.get::<_, &str>(0)));
        for line in *expected {
            assert!(told.contains(line), "{change}: no {line:?} in\n{told}");
        }
        open.rollback().await.expect("rollback");
    }
    assert_eq!(catalog(&db).await, before);
}

/// An option that no version documents, on every column, table and view.
const SERVER_MADE: &str = "
    set allow_system_table_mods = on;
    update pg_attribute set attoptions = array['server_made=7'] || attoptions
     where attnum > 0 and attrelid in (
       select oid from pg_class where relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and relkind in ('r', 'p', 'v'));
    update pg_class set reloptions = reloptions || array['server_made=7']
     where relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and relkind in ('r', 'v')";

/// Some servers write an option of their own into every column that they make. What this project declares is compared, not that.
#[tokio::test(flavor = "multi_thread")]
async fn options_that_a_server_writes_by_itself_do_not_matter() {
    let db = TestDb::new().await;
    let before = catalog(&db).await;
    let superuser = db.superuser_here().await;
    superuser.batch_execute(SERVER_MADE).await.expect("options of a server's own");
    let now = catalog(&db).await;
    assert!(now == before, "{}", diff(&before, &now));
}

/// Ranges that differ from one another would be told apart by the text, so that it would grow.
#[tokio::test(flavor = "multi_thread")]
async fn every_range_is_like_the_first_one_of_its_table() {
    let db = TestDb::with_test_clock().await;
    let (owner, worker) = (db.owner().await, db.worker().await);
    let ranges = async || {
        let count =
            "select count(*) from pg_inherits where inhparent = 'fairclaim_internal.job'::regclass";
        owner.query_one(count, &[]).await.expect("pg_inherits").get::<_, i64>(0)
    };
    let (before, installed) = (catalog(&db).await, ranges().await);
    for table in ["job", "finished", "attempt_error"] {
        let heading = format!("create table fairclaim_internal.{table}_<range> (");
        assert_eq!(before.matches(&heading).count(), 1, "{heading}");
    }
    for _ in 0..3 {
        db.advance("2 days").await;
        tick(&worker).await;
    }
    assert!(ranges().await > installed, "ticks made ranges");
    let now = catalog(&db).await;
    assert!(now == before, "{}", diff(&before, &now));

    let last = "select format('grant select on %s to fairclaim_worker', max(inhrelid::regclass::text)) from pg_inherits
                 where inhparent = 'fairclaim_internal.finished'::regclass";
    let grant: String = owner.query_one(last, &[]).await.expect("pg_inherits").get(0);
    owner.batch_execute(&grant).await.expect("grant");
    let told = diff(&before, &catalog(&db).await);
    let line = "+ grant select on fairclaim_internal.finished_<range> to fairclaim_worker;";
    assert!(told.contains(line), "one that is not like the others stands out:\n{told}");
}
