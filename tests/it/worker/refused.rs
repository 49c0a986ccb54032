//! A trigger or a constraint of an administrator that refuses what a worker settles.

use fairclaim::{Attempt, JobError, RawJob, Status};
use serde_json::json;
use tokio_postgres::Client;

use super::{
    stage::{PATIENCE, Running, Stage, millis},
    traces::{Entry, Recorder},
};
use crate::support::waiting::until;

const REFUSED: &str = "refuses its settlement with SQLSTATE P0001";

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

// one thread, whose default the recorder is
#[tokio::test]
async fn one_job_whose_settlement_is_refused_holds_up_no_other_and_completes_when_it_may() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let before = stage.dispatch_many("default", "nothing", 40).await;
    let bad = stage.dispatch("nothing", json!({})).await;
    let after = stage.dispatch_many("default", "nothing", 40).await;
    let trigger = format!(
        "create sequence fairclaim.refusals;
         create function fairclaim.refuse() returns trigger language plpgsql as $$
           begin
             if new.id = '{bad}' then
               perform nextval('fairclaim.refusals'); -- which no rollback takes back
               raise exception 'SECRET of the row';
             end if;
             return new;
           end $$;
         create trigger refuse before insert on fairclaim_internal.finished
           for each row execute function fairclaim.refuse()"
    );
    let owner = stage.db.owner().await;
    owner.batch_execute(&trigger).await.expect("a trigger");

    let worker = stage.worker().await.queue("default", 20).handler_for("nothing", nothing);
    let worker = Running::start(worker.poll_interval(millis(50)));
    stage.until_all(&before, Status::Completed).await;
    stage.until_all(&after, Status::Completed).await;
    until("it is found", PATIENCE, || async {
        (!told(&recorder, REFUSED).is_empty()).then_some(())
    })
    .await;
    let found_after = refusals(&owner).await;
    until("it is repeated", PATIENCE, || async {
        (refusals(&owner).await > found_after).then_some(())
    })
    .await;
    assert_eq!(stage.job(bad).await.status, Status::Processing, "it is kept");
    let later = stage.dispatch("nothing", json!({})).await;
    stage.until(later, Status::Completed).await;

    owner.batch_execute("drop function fairclaim.refuse() cascade").await.expect("drop");
    assert_eq!(stage.until(bad, Status::Completed).await.attempts, 1, "it ran once");
    assert_eq!(worker.stop().await.completed, 82);

    let lines = told(&recorder, REFUSED);
    assert_eq!(lines.len(), 1, "once, however often it is repeated: {lines:#?}");
    let named = ["id", "type", "code"].map(|name| lines[0].field(name).unwrap_or_default());
    assert_eq!(named, [&*bad.to_string(), "nothing", "P0001"]);
    assert_eq!(lines[0].field("tenant"), Some("acme"));
    assert!(told(&recorder, "SECRET").is_empty(), "what a trigger says may quote a row");
}

/// The lines that hold these words.
fn told(recorder: &Recorder, words: &str) -> Vec<Entry> {
    let mut events = recorder.events();
    events.retain(|event| format!("{event:?}").contains(words));
    events
}

/// How often the trigger refused.
async fn refusals(owner: &Client) -> i64 {
    let query = "select last_value from fairclaim.refusals";
    owner.query_one(query, &[]).await.expect("a sequence").get(0)
}
