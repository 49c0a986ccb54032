//! The README's SQL, as it is printed.

use fairclaim::Status;
use serde_json::json;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::support::Client;
use crate::worker::stage::{Stage, acme};

/// The statements of the README's section on SQL.
fn statements() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let block = readme.split("```sql\n").nth(1).expect("a block of SQL");
    let block = block.split("```").next().expect("it ends");
    let code: Vec<&str> = block.lines().filter_map(|line| line.split("--").next()).collect();
    code.join("\n")
        .split_terminator(';')
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// The one row of a statement, as psql would get it.
async fn row(session: &Client, statement: &str) -> SimpleQueryRow {
    let messages = session.simple_query(statement).await.expect(statement);
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let mut rows: Vec<SimpleQueryRow> = rows.collect();
    assert_eq!(rows.len(), 1, "{statement}");
    rows.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sql_of_the_readme_works_as_it_is_printed() {
    let stage = Stage::new().await;
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    let operator = stage.db.operator().await;
    let statements = statements();
    let [dispatch, claim, settle, tick, list] = statements.as_slice() else {
        panic!("other statements than this test knows: {statements:?}")
    };
    row(&producer, dispatch).await;
    let claimed = row(&worker, claim).await;
    let text = |name: &str| claimed.get(name).expect(name).to_owned();
    let id = text("id");
    let settle = settle.replace("<id>", &id).replace("<lease_token>", &text("lease_token"));
    assert!(!settle.contains('<'), "{settle}");
    let settled = row(&worker, &settle).await;
    assert_eq!((settled.get("kind"), settled.get("status")), (Some("settled"), Some("completed")));
    assert!(row(&worker, tick).await.get("next_tick_in").is_some());
    let listed = row(&operator, list).await;
    assert_eq!((listed.get("id"), listed.get("status")), (Some(id.as_str()), Some("completed")));
    let job = stage.job(id.parse().expect("a uuid")).await;
    assert_eq!((job.tenant_id, job.status), (acme(), Status::Completed));
    assert_eq!(job.payload, Some(json!({"user": 7})));
}
