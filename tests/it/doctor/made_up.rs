//! What the doctor makes of catalogs that the servers of the tests cannot have: the texts of its
//! functions are run with views of the same names before the system's.

use crate::support::{Client, TestDb, logins};

const SETTINGS: &str = include_str!("../../../sql/internal/doctor/findings_of_settings.sql");
const AGE: &str = include_str!("../../../sql/internal/doctor/findings_of_age.sql");
const SPACE: &str = include_str!("../../../sql/internal/doctor/findings_of_space.sql");
const TRANSACTIONS: &str = include_str!("../../../sql/protocol/doctor/doctor_transactions.sql");

/// Runs the body of a function where the temporary views are found first; gives those of its
/// findings that are not well as `level name`, and everything that was seen.
async fn judged(session: &Client, view: &str, function: &str) -> (Vec<String>, String) {
    let view = format!("set search_path = pg_temp, pg_catalog; create or replace temp view {view}");
    session.batch_execute(&view).await.expect(&view);
    let (_, body) = function.split_once("as $$").expect("a body");
    let (body, _) = body.rsplit_once("$$").expect("an end");
    let rows = session.query(body, &[]).await.expect(body);
    let mut troubles = Vec::new();
    let mut seen = Vec::new();
    for row in &rows {
        let (level, name): (String, String) = (row.get(0), row.get(1));
        if level != "ok" {
            troubles.push(format!("{level} {name}"));
        }
        seen.push(row.get::<_, String>(2));
    }
    (troubles, seen.join("\n"))
}

/// A server's settings by default, one or two of them changed.
fn settings(changes: &[(&str, &str)]) -> String {
    let mut values = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("row_security", "on"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_parameter_max_length", "-1"),
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
        ("statement_timeout", "0"),
        ("autovacuum", "on"),
        ("track_counts", "on"),
    ];
    for (changed, value) in changes {
        let of_it = values.iter_mut().find(|(name, _)| name == changed);
        of_it.expect("a setting").1 = value;
    }
    let rows = values.map(|(name, value)| format!("('{name}', '{value}')")).join(", ");
    format!("pg_settings as select * from (values {rows}) s(name, reset_val)")
}

#[tokio::test]
async fn each_setting_that_hurts_is_found_and_the_defaults_are_well() {
    let db = TestDb::new().await;
    let session = db.session(logins::STRANGER).await;
    let troubles = async |changes: &[(&str, &str)]| {
        let (mut found, _) = judged(&session, &settings(changes), SETTINGS).await;
        found.retain(|finding| !finding.ends_with(" connections"));
        found
    };
    assert_eq!(troubles(&[]).await, [] as [&str; 0]);
    for (name, value, finding) in [
        ("fsync", "off", "warning durability"),
        ("synchronous_commit", "off", "warning durability"),
        ("default_transaction_isolation", "serializable", "error isolation"),
        ("default_transaction_read_only", "on", "error isolation"),
        ("row_security", "off", "note row_security_off"),
        ("log_parameter_max_length_on_error", "-1", "warning logged_parameters"),
        ("log_statement", "all", "warning logged_parameters"),
        ("log_min_duration_statement", "100", "warning logged_parameters"),
        ("statement_timeout", "200", "warning short_timeout"),
        ("autovacuum", "off", "error autovacuum"),
    ] {
        assert_eq!(troubles(&[(name, value)]).await, [finding], "{name} = {value}");
    }
    let without_values = [("log_statement", "all"), ("log_parameter_max_length", "0")];
    assert_eq!(troubles(&without_values).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_database_that_comes_near_the_end_of_its_transaction_ids_is_an_error() {
    let db = TestDb::new().await;
    let session = db.session(logins::STRANGER).await;
    let aged = |age: i64| {
        format!(
            "pg_database as select current_database()::name as datname, {} as datfrozenxid",
            ago(age)
        )
    };
    let (troubles, _) = judged(&session, &aged(999_000_000), AGE).await;
    assert_eq!(troubles, [] as [&str; 0]);
    let (troubles, seen) = judged(&session, &aged(1_700_000_001), AGE).await;
    assert_eq!(troubles, [format!("error {}", "wraparound")]);
    assert!(seen.contains("1700 million"), "{seen}");
}

#[tokio::test]
async fn a_table_is_bloated_by_what_its_rows_do_not_explain() {
    let db = TestDb::new().await;
    let session = db.session(logins::STRANGER).await;
    let sized = |live: i64, bytes: i64| {
        format!(
            "pg_stat_all_tables as select 'fairclaim_internal'::name as schemaname,
               'ready'::name as relname, {bytes}::oid as relid, {live}::bigint as n_live_tup,
               5::bigint as n_dead_tup"
        )
    };
    // the sizes of the tables are the numbers that stand for them
    let space = SPACE
        .replace("pg_table_size(counted.relid)", "counted.relid::bigint")
        .replace("pg_indexes_size(counted.relid)", "0::bigint");
    let small = 64 << 20;
    for (live, bytes, expected) in
        [(0, small, None), (1_000, small + 1, Some("warning bloat")), (1_000_000, small + 1, None)]
    {
        let (troubles, seen) = judged(&session, &sized(live, bytes), &space).await;
        assert_eq!(troubles.first().map(String::as_str), expected, "{live} {bytes}");
        assert_eq!(seen.contains("ready: 64 MiB and 0 MiB"), expected.is_some(), "{seen}");
    }
}

#[tokio::test]
async fn a_slot_that_keeps_rows_without_a_reader_is_found() {
    let db = TestDb::new().await;
    let session = db.session(logins::OWNER).await;
    let slot = |active: bool, behind: Option<i64>, wal: &str| {
        let xmin = behind.map_or("null::xid".to_owned(), ago);
        format!(
            "pg_replication_slots as select 'a'::name as slot_name, {active} as active,
               {xmin} as xmin, null::xid as catalog_xmin, '{wal}'::text as wal_status"
        )
    };
    for (view, is_found) in [
        (slot(true, Some(5), "reserved"), false),
        (slot(false, None, "reserved"), false),
        (slot(false, Some(5), "reserved"), true),
        (slot(true, Some(999_000), "reserved"), false),
        (slot(true, Some(1_000_001), "reserved"), true),
        (slot(true, Some(5), "lost"), true),
    ] {
        let (troubles, _) = judged(&session, &view, TRANSACTIONS).await;
        assert_eq!(troubles.contains(&"warning replication_slot".to_owned()), is_found, "{view}");
    }
}

#[tokio::test]
async fn a_standby_whose_old_query_keeps_rows_is_found_by_its_process() {
    let db = TestDb::new().await;
    let session = db.session(logins::OWNER).await;
    let standbys = |behind: i64| {
        format!(
            "pg_stat_replication as select 42 as pid, 'replica'::name as usename,
               'west'::text as application_name, {} as backend_xmin",
            ago(behind)
        )
    };
    let told = format!("warning {}", "standby_feedback");
    let none = "pg_stat_replication as select 42 as pid, null::name as usename,
                  null::text as application_name, null::xid as backend_xmin";
    let (_, seen) = judged(&session, none, TRANSACTIONS).await;
    assert!(!seen.contains("no standby"), "{seen}");
    let (troubles, seen) = judged(&session, &standbys(99_000), TRANSACTIONS).await;
    assert!(!troubles.contains(&told), "{troubles:?}");
    assert!(seen.contains("no standby keeps more"), "{seen}");
    let (troubles, seen) = judged(&session, &standbys(7_000_000), TRANSACTIONS).await;
    assert!(troubles.contains(&told), "{troubles:?}");
    assert!(seen.contains("pid 42 of replica (west), 7000000 transactions behind"), "{seen}");
}

/// An id of so many transactions before the session's own next one, in the arithmetic of ids, which
/// wraps.
fn ago(transactions: i64) -> String {
    format!("((txid_current() - {transactions} + 4294967296) % 4294967296)::text::xid")
}
