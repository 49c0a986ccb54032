//! Line 9 of the contract: the migration is printed and installs by itself, and the claim can be tried by hand with the
//! two scripts of sql/examples. What runs here is their own text, step by step, in the order that their headings give.

use fairclaim::{MigrateOptions, migration_script};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};
use uuid::Uuid;

use crate::support::{Client, TestDb, connect, waiting};

const FIRST: &str = include_str!("../../sql/examples/claim_by_hand_1.sql");
const SECOND: &str = include_str!("../../sql/examples/claim_by_hand_2.sql");

/// What the reader does under one heading.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    number: u32,
    /// 0 or 1: which of the two sessions.
    session: usize,
    sql: String,
}

/// The steps of both scripts, in the order of their numbers.
fn steps(scripts: [&str; 2]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (session, script) in scripts.into_iter().enumerate() {
        for part in script.split("\n-- step ").skip(1) {
            let (heading, sql) = part.split_once('\n').unwrap_or((part, ""));
            let (number, _) = heading.split_once(':').expect("`-- step <number>: what to do`");
            let number = number.parse().expect("the number of a step");
            // a heading may go on in the lines of comments under it
            let sql = sql.lines().skip_while(|line| line.starts_with("--"));
            let sql = sql.collect::<Vec<_>>().join("\n").trim().to_owned();
            steps.push(Step { number, session, sql });
        }
    }
    steps.retain(|step| !step.sql.is_empty()); // a step that only sends the reader to the other session
    steps.sort_by_key(|step| step.number);
    steps
}

/// The roles that the head of a script tells the reader to have.
fn roles(script: &str) -> Vec<&str> {
    let (head, _) = script.split_once("\n-- step ").expect("a head and steps");
    let mut roles: Vec<&str> = head
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("fairclaim_"))
        .collect();
    roles.dedup();
    roles
}

/// The rows that the statements of a step answer.
async fn run(session: &Client, step: &Step) -> Vec<SimpleQueryRow> {
    let messages = session
        .simple_query(&step.sql)
        .await
        .unwrap_or_else(|error| panic!("step {}: {error}\n{}", step.number, step.sql));
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect()
}

/// The cells of a row, a missing one as an empty text.
fn cells<'a>(row: &'a SimpleQueryRow, columns: &[&str]) -> Vec<&'a str> {
    columns.iter().map(|column| row.get(*column).unwrap_or_default()).collect()
}

/// A login with just the roles that the scripts ask for; the installer makes it, as an administrator would.
async fn login(installer: &Client) -> String {
    let login = format!("by_hand_{}", Uuid::new_v4().simple());
    let granted = roles(FIRST).join(", ");
    installer
        .batch_execute(&format!("create role {login} login; grant {granted} to {login}"))
        .await
        .expect("a login");
    login
}

#[tokio::test(flavor = "multi_thread")]
async fn line_9_the_printed_migration_installs_and_the_claim_is_tried_by_hand() {
    let db = TestDb::empty().await;
    let installer = db.installer().await;
    let plain = "select rolsuper or rolbypassrls from pg_roles where rolname = session_user";
    assert!(!installer.query_one(plain, &[]).await.expect("pg_roles").get::<_, bool>(0));
    let script = migration_script(&MigrateOptions::default());
    installer.batch_execute(&script).await.expect("the printed script");

    let login = login(&installer).await;
    let sessions = [connect(&db.url(&login)).await, connect(&db.url(&login)).await];
    for session in &sessions {
        // whoever waits for a lock here breaks the promise that nobody does
        session.batch_execute("set lock_timeout = '1s'").await.expect("set");
    }
    let mut rows = Vec::new();
    for step in steps([FIRST, SECOND]) {
        rows.push((step.number, run(&sessions[step.session], &step).await));
    }
    judge(&rows);

    drop(sessions);
    let gone = "select count(*) = 0 from pg_stat_activity where usename = $1";
    waiting::until("the sessions end", std::time::Duration::from_secs(30), async || {
        installer
            .query_one(gone, &[&login])
            .await
            .expect("activity")
            .get::<_, bool>(0)
            .then_some(())
    })
    .await;
    installer.batch_execute(&format!("drop role {login}")).await.expect("drop role");
}

/// Whether each step answered what the words beside it say.
fn judge(rows: &[(u32, Vec<SimpleQueryRow>)]) {
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "each step is told once");
    let of = |number: u32| &rows[number as usize - 1].1;
    let claim = ["type", "status", "worker_id", "attempts"];
    let one = |number: u32| {
        assert_eq!(of(number).len(), 1, "step {number}");
        &of(number)[0]
    };

    let mut dispatched: Vec<_> = of(1).iter().map(|row| row.get("id").expect("an id")).collect();
    assert_eq!(cells(one(2), &claim), ["greet", "processing", "hand-1", "1"]);
    assert_eq!(cells(one(3), &claim), ["greet", "processing", "hand-2", "1"], "at once");
    let (first, second) = (one(2).get("id").expect("an id"), one(3).get("id").expect("an id"));
    let mut claimed = vec![first, second];
    dispatched.sort_unstable();
    claimed.sort_unstable();
    assert_eq!(claimed, dispatched, "each session has a job of its own");
    assert!(of(4).is_empty(), "what is left is locked");
    assert!(of(5).is_empty());

    assert_eq!(
        cells(one(6), &claim),
        ["greet", "processing", "hand-1", "1"],
        "as if never claimed"
    );
    assert_eq!(one(6).get("id"), Some(first));
    assert_ne!(one(6).get("lease_token"), one(2).get("lease_token"));
    let settled = ["id", "kind", "status"];
    assert_eq!(cells(one(7), &settled), [first, "settled", "completed"]);
    assert_eq!(cells(one(8), &settled), [first, "already", "completed"], "an attempt ends once");

    let mut listed: Vec<_> =
        of(9).iter().map(|row| cells(row, &["id", "status", "attempts", "worker_id"])).collect();
    listed.sort_by_key(|cells| cells[1].to_owned());
    assert_eq!(
        listed,
        [[first, "completed", "1", "hand-1"], [second, "processing", "1", "hand-2"]]
    );
    assert_eq!(cells(one(10), &settled), [second, "settled", "pending"]);
    assert_eq!(cells(one(11), &claim), ["greet", "processing", "hand-2", "2"]);
    assert_eq!(one(11).get("id"), Some(second));
}

#[test]
fn the_steps_of_two_scripts_are_taken_in_the_order_of_their_numbers() {
    let first = "-- Head: fairclaim_worker.\n\n-- step 1: this\nselect 1;\n\n-- step 2: now\n-- the other\n\n-- step 10: end\nselect 10;\n";
    let second = "-- Head.\n\n-- step 2: that\n-- and this\nselect 2;\nselect 3;\n";
    let step = |number, session, sql: &str| Step { number, session, sql: sql.to_owned() };
    assert_eq!(
        steps([first, second]),
        [step(1, 0, "select 1;"), step(2, 1, "select 2;\nselect 3;"), step(10, 0, "select 10;")]
    );
    assert_eq!(roles(first), ["fairclaim_worker"]);
}
