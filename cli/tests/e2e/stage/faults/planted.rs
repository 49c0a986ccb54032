//! Negative control of the audit itself: each of its findings is planted, and it must make every
//! one of them.

use std::collections::BTreeSet;
use std::io::Write;

use uuid::Uuid;

use super::super::audit::{AUDIT, Audit, MayFail};
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers};
use super::super::{DISPATCHED, Stage};

/// What is done to one job of its own, `$1`, behind the back of the queue, and what the audit says
/// of it at least.
const PLANTED: [(&str, &str); 12] = [
    ("a job has no final fact", "delete from fairclaim_internal.finished where id = $1"),
    (
        "a job is left in scheduled",
        "with f as (delete from fairclaim_internal.finished f where f.id = $1 returning f.id, f.tenant_id)
         insert into fairclaim_internal.scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
         select now(), f.id, f.tenant_id, 1, 1, 0, false from f",
    ),
    (
        "a job is in two places",
        "insert into fairclaim_internal.scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
         select now(), f.id, f.tenant_id, 1, 1, 0, false from fairclaim_internal.finished f where f.id = $1",
    ),
    ("a row has no job", "delete from fairclaim_internal.job where id = $1"),
    (
        "a dispatch is there twice",
        "update fairclaim_internal.job set payload = (select o.payload from fairclaim_internal.job o order by o.id desc limit 1) where id = $1",
    ),
    (
        "a job failed without three losses",
        "update fairclaim_internal.finished set status = 'failed' where id = $1",
    ),
    (
        "an attempt was claimed twice",
        "insert into witness.claim select c.id, c.attempt, gen_random_uuid(), c.worker_id from witness.claim c where c.id = $1",
    ),
    (
        "attempts are not the claims",
        "update fairclaim_internal.finished set attempts = attempts + 1 where id = $1",
    ),
    (
        "a job got the same lease token twice",
        "insert into witness.claim select c.id, c.attempt + 1, c.lease_token, c.worker_id from witness.claim c where c.id = $1",
    ),
    ("an attempt did not end exactly once", "reset role; delete from witness.ended where id = $1"),
    (
        "an attempt was completed by who did not hold it",
        "update fairclaim_internal.finished set worker_id = 'somebody' where id = $1",
    ),
    (
        "a job was completed and its last attempt never ran",
        // its start is taken out of the books of the handlers below
        "select from fairclaim_internal.job where id = $1",
    ),
];

/// What is written into the books of dispatchers and handlers instead.
const BOOKED: [&str; 3] =
    ["an answered dispatch is lost", "a handler ran without a claim", "an attempt ran twice"];

pub(crate) async fn every_finding_is_made() {
    let stage = Stage::new().await;
    let dispatchers = Dispatchers::start(&stage, &Pace { count: 1, ..Pace::gentle(&stage) });
    stage.until(DISPATCHED, 50).await;
    let workers = Workers::start(&stage, 1, Orders::plain(&stage, "30s"));
    stage.close(dispatchers, workers).await.pass("before anything is planted", MayFail::None);

    let ids = stage.ask("select id from fairclaim_internal.job order by id limit 20", &[]).await;
    let ids: Vec<Uuid> = ids.iter().map(|row| row.get(0)).collect();
    for ((_, sql), id) in PLANTED.iter().zip(&ids) {
        stage.as_owner(&sql.replace("$1", &format!("'{id}'"))).await;
    }
    let starts = std::fs::read_to_string(&stage.starts).unwrap();
    let (silent, twice) = (ids[PLANTED.len() - 1].to_string(), ids[PLANTED.len()].to_string());
    let mut books: Vec<&str> = starts.lines().filter(|line| !line.starts_with(&silent)).collect();
    books.push(starts.lines().find(|line| line.starts_with(&twice)).unwrap());
    let stranger = format!("{} 1", Uuid::new_v4());
    books.push(&stranger);
    std::fs::write(&stage.starts, books.join("\n") + "\n").unwrap();
    let mut answered = std::fs::OpenOptions::new().append(true).open(&stage.answered).unwrap();
    writeln!(answered, "{}", Uuid::new_v4()).unwrap();

    let audit = Audit::of(&stage).await;
    let found: BTreeSet<&str> =
        audit.findings.iter().map(|finding| finding.what.as_str()).collect();
    let planted: BTreeSet<&str> = PLANTED.iter().map(|(what, _)| *what).chain(BOOKED).collect();
    assert_eq!(found, planted);
    // the table above forgets none
    let known = AUDIT.lines().filter(|line| line.trim_start().starts_with("select 'a")).count();
    assert_eq!(known, planted.len(), "the audit has findings that nobody plants");
}
