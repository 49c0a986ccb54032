//! The doctor: findings are provoked on a real server, and a healthy database has none of them.
//! What takes a server that the tests cannot have is judged with catalogs made up (`made_up`:
//! `standby_feedback`, `wraparound`), or beside the code, in `src/doctor`: `server_version` (one of
//! the past or the future), and `tls` over a network. `pooler` and `tls` over TLS are with the
//! poolers and the servers of `pooled` and `tls`.

mod access;
mod alone;
mod functions;
mod made_up;
mod maintenance;
mod retention;
mod work;

use crate::support::Client as Session;
use fairclaim::{Diagnosis, Finding, Level};

use crate::{
    calls::tick,
    support::{TestDb, connect},
};

/// What the servers of the tests are like on purpose: nothing must survive a crash, and each has
/// many databases.
const OF_THE_TESTS: [&str; 2] = ["durability", "second_installation"];

/// What no server of the tests shows; see above.
const JUDGED_BESIDE_THE_CODE: [&str; 1] = ["server_version"];

/// The tests that examine a server. Those of `functions` name findings only to compare two ways of
/// asking.
const TESTS: [&str; 9] = [
    include_str!("doctor.rs"),
    include_str!("doctor/access.rs"),
    include_str!("doctor/alone.rs"),
    include_str!("doctor/made_up.rs"),
    include_str!("doctor/maintenance.rs"),
    include_str!("doctor/retention.rs"),
    include_str!("doctor/work.rs"),
    include_str!("pooled.rs"),
    include_str!("tls.rs"),
];

#[test]
fn every_finding_is_looked_for_by_a_test_or_judged_beside_the_code() {
    let names = documented();
    assert!(names.len() > 40, "{names:?}");
    let is_looked_for = |name: &&str| {
        let quoted = format!("\"{name}\"");
        // the list above is in one of these texts
        let listed = usize::from(JUDGED_BESIDE_THE_CODE.contains(name));
        TESTS.iter().map(|text| text.matches(&quoted).count()).sum::<usize>() > listed
    };
    let others: Vec<&str> = names.into_iter().filter(|name| !is_looked_for(name)).collect();
    assert_eq!(others, JUDGED_BESIDE_THE_CODE);
}

/// The list of findings: every one that an examination has must be in it.
fn documented() -> Vec<&'static str> {
    let table = include_str!("../../docs/operate/doctor.md");
    table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// An examination by a login, of which no check failed.
async fn examine(db: &TestDb, login: &str) -> Diagnosis {
    examine_at(&db.url(login)).await
}

async fn examine_at(url: &str) -> Diagnosis {
    let client = fairclaim::Client::connect(url).await.expect("connect");
    let diagnosis = client.diagnose().await.expect("a diagnosis");
    assert_eq!(find(&diagnosis, "failed_check"), None);
    let names = documented();
    for finding in &diagnosis.findings {
        assert!(names.contains(&finding.name.as_str()), "not documented: {finding:?}");
    }
    diagnosis
}

/// The worst finding of a name.
fn find<'a>(diagnosis: &'a Diagnosis, name: &str) -> Option<&'a Finding> {
    let named = diagnosis.findings.iter().filter(|finding| finding.name == name);
    named.max_by_key(|finding| finding.level)
}

/// Fails unless there is a finding of this name and level, whose text has all of these words.
fn assert_found(diagnosis: &Diagnosis, name: &str, level: Level, words: &[&str]) {
    let Some(finding) = find(diagnosis, name) else { panic!("no {name}: {diagnosis:#?}") };
    assert_eq!(finding.level, level, "{finding:?}");
    for word in words {
        assert!(finding.seen.contains(word), "{word}: {finding:?}");
    }
    assert_eq!(finding.advice.is_some(), level > Level::Ok, "{finding:?}");
}

/// What is not as it should be, less what the servers of the tests are like.
fn troubles(diagnosis: &Diagnosis) -> Vec<&Finding> {
    let findings = diagnosis.findings.iter().filter(|finding| finding.level > Level::Ok);
    findings.filter(|finding| !OF_THE_TESTS.contains(&finding.name.as_str())).collect()
}

/// A database whose ticks run.
async fn ticked() -> (TestDb, Session) {
    let db = TestDb::new().await;
    tick(&db.worker().await).await;
    let owner = db.owner().await;
    (db, owner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_database_has_no_trouble() {
    let (db, _owner) = ticked().await;
    let diagnosis = examine(&db, "test_owner").await;
    assert_eq!(troubles(&diagnosis), [] as [&Finding; 0]);
    for name in ["connection", "schema", "ticks", "ranges", "leases", "floors", "backlog"] {
        assert_found(&diagnosis, name, Level::Ok, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_all_but_the_transactions_of_others() {
    let (db, _owner) = ticked().await;
    let diagnosis = examine(&db, "test_operator").await;
    let names: Vec<&str> =
        troubles(&diagnosis).iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["unseen"]);
    let unseen = find(&diagnosis, "unseen").expect("it").advice.as_deref().expect("advice");
    assert!(unseen.contains("pg_read_all_stats"), "{unseen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_the_role_is_told_what_it_could_not_look_at() {
    let (db, _owner) = ticked().await;
    let diagnosis = examine(&db, "test_worker").await;
    let unseen: Vec<&str> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.name == "unseen")
        .map(|finding| finding.seen.as_str())
        .collect();
    let unseen = unseen.join("\n");
    for what in ["migrations", "the state of maintenance", "queues", "limits"] {
        assert!(unseen.contains(what), "{unseen}");
    }
    // what it may look at is looked at all the same
    assert_found(&diagnosis, "function_access", Level::Ok, &[]);
    assert_found(&diagnosis, "clock", Level::Ok, &[]);

    let diagnosis = examine(&db, "test_stranger").await;
    assert_found(&diagnosis, "login_roles", Level::Warning, &["no role"]);
    assert_found(&diagnosis, "row_security", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_schema_is_told_to_migrate() {
    let db = TestDb::empty().await;
    let diagnosis = examine(&db, "test_stranger").await;
    assert_found(&diagnosis, "schema", Level::Error, &["no schema"]);
    assert!(
        diagnosis
            .findings
            .iter()
            .any(|f| f.advice.as_ref().is_some_and(|a| a.contains("fairclaim migrate")))
    );
    assert_eq!(find(&diagnosis, "ticks"), None, "there is nothing to look at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_build_is_told() {
    let (db, owner) = ticked().await;
    let known = fairclaim::schema_version();
    let newer = format!(
        "insert into fairclaim_internal.migration values ({}, 'from_the_future', 'x')",
        known + 1
    );
    owner.batch_execute(&newer).await.expect("a newer version");
    assert_found(
        &examine(&db, "test_operator").await,
        "schema",
        Level::Warning,
        &[&format!("version {}", known + 1)],
    );

    owner
        .batch_execute("update fairclaim_internal.migration set checksum = 'of another text'")
        .await
        .expect("update");
    assert_found(&examine(&db, "test_operator").await, "checksum", Level::Error, &["tables"]);

    owner.batch_execute("delete from fairclaim_internal.migration").await.expect("delete");
    assert_found(&examine(&db, "test_operator").await, "schema", Level::Error, &["version 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_off_is_told() {
    let db = TestDb::with_test_clock().await;
    db.advance("1 hour").await;
    assert_found(
        &examine(&db, "test_worker").await,
        "clock",
        Level::Warning,
        &["60 min", "behind"],
    );
    db.advance("-2 hours").await;
    assert_found(&examine(&db, "test_worker").await, "clock", Level::Warning, &["60 min", "ahead"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_login_that_hurt_are_told() {
    let (db, _owner) = ticked().await;
    for (setting, name, level) in [
        ("synchronous_commit%3Doff", "durability", Level::Warning),
        ("default_transaction_isolation%3Dserializable", "isolation", Level::Error),
        ("default_transaction_read_only%3Don", "isolation", Level::Error),
        ("row_security%3Doff", "row_security_off", Level::Note),
        ("statement_timeout%3D900", "short_timeout", Level::Warning),
    ] {
        let url = format!("{}?options=-c{setting}", db.url("test_operator"));
        let client = fairclaim::Client::connect(&url).await.expect("connect");
        let word = setting.split('%').next().expect("a name");
        let diagnosis = client.diagnose().await.expect("a diagnosis");
        let finding = find(&diagnosis, name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(finding.level, level, "{word}: {finding:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_changes_nothing_and_waits_for_nobody() {
    let (db, owner) = ticked().await;
    owner
        .batch_execute(
            "begin; lock table fairclaim_internal.tick_state, fairclaim_internal.ready in access exclusive mode",
        )
        .await
        .expect("lock");
    let client = db.client("test_owner").await;
    let diagnosis = client.diagnose().await.expect("a diagnosis");
    let failed: Vec<&str> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.name == "failed_check")
        .map(|finding| finding.seen.as_str())
        .collect();
    assert!(failed.iter().any(|seen| seen.contains("the state of maintenance")), "{failed:?}");
    assert_found(&diagnosis, "row_security", Level::Ok, &[]);
    assert_found(&diagnosis, "paused_queues", Level::Ok, &[]);
    drop(connect(&db.url("test_worker")).await);
}
