//! The play: sessions that go one statement at a time, in an order that is given.
//!
//! A statement that waits for another session is told by `pg_blocking_pids`; the order then goes on with the others, and comes
//! back when the statement has ended.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::support::Client;
use tokio::task::JoinHandle;
use tokio_postgres::{Error, SimpleQueryMessage};

use crate::support::waiting;

/// Far more than any statement takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(120);
/// How often to ask whether a statement waits that has not ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Who takes part: a session, and its statements in order.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) client: Arc<Client>,
    pub(super) statements: Vec<String>,
}

/// What happened.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What each statement of each part answered: rows by `;`, columns by `|`, or the code of an error.
    pub(super) answers: Vec<Vec<String>>,
    /// The statements that had to wait for another part, by part and place.
    pub(super) waited: Vec<(usize, usize)>,
}

impl Outcome {
    /// The answer of one statement.
    pub(super) fn of(&self, part: usize, statement: usize) -> &str {
        &self.answers[part][statement]
    }
}

/// Every order in which parts of so many statements can go: a list of parts for each.
pub(super) fn orders(counts: &[usize]) -> Vec<Vec<usize>> {
    if counts.iter().all(|count| *count == 0) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for part in (0..counts.len()).filter(|part| counts[*part] > 0) {
        let mut rest = counts.to_vec();
        rest[part] -= 1;
        all.extend(orders(&rest).into_iter().map(|mut order| {
            order.insert(0, part);
            order
        }));
    }
    all
}

/// A statement that has not ended.
struct Pending {
    part: usize,
    running: JoinHandle<String>,
}

/// Plays the parts in this order.
pub(super) async fn play(watcher: &Client, parts: &[Part], order: &[usize]) -> Outcome {
    let mut pids = Vec::new();
    for part in parts {
        pids.push(waiting::process_of(&part.client).await);
    }
    let mut outcome = Outcome { answers: vec![Vec::new(); parts.len()], waited: Vec::new() };
    let mut left: VecDeque<usize> = order.iter().copied().collect();
    let mut pending: Vec<Pending> = Vec::new();
    while !left.is_empty() || !pending.is_empty() {
        let is_free = |part: &usize| pending.iter().all(|waits| waits.part != *part);
        let Some(next) = left.iter().position(is_free) else {
            assert!(!pending.is_empty(), "nobody can go on");
            end_one(&mut pending, &mut outcome).await;
            continue;
        };
        let part = left.remove(next).expect("it is there");
        let statement = parts[part].statements[outcome.answers[part].len()].clone();
        let client = parts[part].client.clone();
        let running = tokio::spawn(async move { answer(client.simple_query(&statement).await) });
        pending.push(Pending { part, running });
        settle_down(watcher, &pids, &mut pending, &mut outcome).await;
    }
    outcome
}

/// Waits until every statement that runs has ended or waits for another session of the play.
async fn settle_down(
    watcher: &Client,
    pids: &[i32],
    pending: &mut Vec<Pending>,
    outcome: &mut Outcome,
) {
    loop {
        let mut all_wait = true;
        let mut n = 0;
        while n < pending.len() {
            let answers = &mut outcome.answers[pending[n].part];
            let place = (pending[n].part, answers.len());
            if let Some(answer) = ended(watcher, pids, &mut pending[n]).await {
                answers.push(answer);
                pending.remove(n);
                all_wait = false; // others may go on now
            } else {
                if !outcome.waited.contains(&place) {
                    outcome.waited.push(place);
                }
                n += 1;
            }
        }
        if all_wait {
            return;
        }
    }
}

/// The answer when the statement has ended, none when it waits for a session of the play.
async fn ended(watcher: &Client, pids: &[i32], pending: &mut Pending) -> Option<String> {
    let sql = "select pg_blocking_pids($1) && $2";
    let watch = async {
        loop {
            if let Ok(answer) = tokio::time::timeout(LOOK_EVERY, &mut pending.running).await {
                return Some(answer.expect("a statement"));
            }
            let asked = watcher.query_one(sql, &[&pids[pending.part], &pids]).await;
            // it may have ended meanwhile
            if asked.expect("who waits").get(0) && !pending.running.is_finished() {
                return None;
            }
        }
    };
    tokio::time::timeout(LIMIT, watch).await.expect("a statement neither ends nor waits")
}

/// When all that is left waits: the first that ends.
async fn end_one(pending: &mut Vec<Pending>, outcome: &mut Outcome) {
    let ask = || async { pending.iter().position(|waits| waits.running.is_finished()) };
    let n = waiting::until("everybody waits", LIMIT, ask).await;
    let waits = pending.remove(n);
    outcome.answers[waits.part].push(waits.running.await.expect("a statement"));
}

fn answer(result: Result<Vec<SimpleQueryMessage>, Error>) -> String {
    match result {
        Err(error) => error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned()),
        Ok(messages) => {
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let columns = (0..row.len()).map(|n| row.get(n).unwrap_or("null"));
                    Some(columns.collect::<Vec<_>>().join("|"))
                }
                _ => None,
            });
            rows.collect::<Vec<_>>().join(";")
        }
    }
}

#[test]
fn all_orders_of_two_lists_are_tried_once() {
    let all = orders(&[2, 2]);
    assert_eq!(all.len(), 6);
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 6);
    assert!(all.contains(&vec![0, 1, 1, 0]) && all.contains(&vec![1, 1, 0, 0]));
    assert_eq!(orders(&[3, 3]).len(), 20);
    assert_eq!(orders(&[2, 2, 1]).len(), 30);
}
