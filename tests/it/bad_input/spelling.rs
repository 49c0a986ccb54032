//! Checks must not depend on how the caller's session reads string literals: what a function's body means is settled when its
//! text is parsed, and that is in the caller's session.

use std::fs;

use tokio_postgres::error::DbError;
use uuid::Uuid;

use crate::{
    calls::{claim_job, dispatch, refused, tenant},
    support::{Client, TestDb},
};

/// Folders whose functions have no backslash in a plain literal.
const FOLDERS: [&str; 5] = [
    "internal/dispatch",
    "internal/settle",
    "internal/support",
    "protocol/dispatch",
    "protocol/settle",
];

/// A literal with a backslash that is not marked as one with escapes.
fn plain_backslash(line: &str) -> bool {
    let code = line.split("--").next().unwrap_or(line);
    let mut parts = code.split('\'');
    let mut before = parts.next().unwrap_or_default();
    while let (Some(literal), next) = (parts.next(), parts.next()) {
        if literal.contains('\\') && !before.ends_with(['E', 'e']) {
            return true;
        }
        before = next.unwrap_or_default();
    }
    false
}

#[test]
fn no_plain_literal_of_a_check_has_a_backslash() {
    assert!(plain_backslash(r"x ~ '[\u0080]'") && !plain_backslash(r"x ~ E'[\\u0080]'"));
    for folder in FOLDERS {
        let path = format!("{}/sql/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(path).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a file");
            let line = text.lines().find(|line| plain_backslash(line));
            assert_eq!(line, None, "{}", path.display());
        }
    }
}

async fn settle(worker: &Client, worker_id: &str, id: Uuid, token: Uuid) -> Result<bool, DbError> {
    let sql = "select kind = 'settled' from fairclaim.settle_jobs($1, array[$2::uuid], array[1], array[$3::uuid], array['complete'])";
    match worker.query_one(sql, &[&worker_id, &id, &token]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => Err(refused(Err::<(), _>(error), "JQ004")),
    }
}

#[tokio::test]
async fn the_checks_of_a_settlement_are_the_same_whatever_a_backslash_means_to_the_session() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for setting in ["on", "off"] {
        let worker = db.direct_session("test_worker").await;
        let set = format!("set standard_conforming_strings = {setting}");
        worker.batch_execute(&set).await.expect("set");
        dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, "w").await.expect("a job");
        for bad in ["", "a\u{7}b", "a\nb", "\u{7f}", "\u{80}", "\u{85}x", "\u{9f}"] {
            let error = settle(&worker, bad, job.id, job.token).await.expect_err(bad);
            assert!(error.message().starts_with("p_worker_id: "), "{setting}: {}", error.message());
        }
        for good in ["u0080", "\\", "\\u0085", "-", "\u{a0}", "wörker"] {
            let stale = settle(&worker, good, job.id, Uuid::from_u128(1)).await;
            assert!(!stale.expect(good), "{setting}: {good} may name a worker");
        }
        assert!(settle(&worker, "w", job.id, job.token).await.expect("the job"));
    }
}
