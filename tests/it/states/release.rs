//! `release_jobs` and `release_worker`: an operator frees jobs whose worker is gone, long before their leases end.

use uuid::Uuid;

use super::stage::{Seen, Stage, status};
use crate::{
    calls::{Claimed, Settled, dispatch, refused, settle, tenant},
    support::{Client, GenericClient},
};

/// A claim of a worker with a lease of a day.
async fn claim(stage: &Stage, worker_id: &str) -> Claimed {
    let sql = "select * from fairclaim.claim_jobs($1, null, 1, p_lease => 86400)";
    Claimed::from(&stage.worker.query_one(sql, &[&worker_id]).await.expect("a job is due"))
}

async fn release(
    operator: &impl GenericClient,
    tenant: Option<Uuid>,
    ids: &[Uuid],
) -> Vec<Option<String>> {
    let sql = "select id, status from fairclaim.release_jobs($1, $2)";
    let rows = operator.query(sql, &[&tenant, &ids]).await.expect("release_jobs");
    assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), ids);
    rows.iter().map(|row| row.get(1)).collect()
}

async fn release_worker(operator: &Client, worker_id: &str, limit: i32) -> Vec<(Uuid, String)> {
    let sql = "select id, status from fairclaim.release_worker($1, $2)";
    let rows = operator.query(sql, &[&worker_id, &limit]).await.expect("release_worker");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_job_of_a_worker_that_is_gone_waits_again_with_all_its_attempts_and_its_lease_is_dead() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let id = stage.job(3).await;
    let job = claim(&stage, "gone").await;
    stage.later("1 hour").await;
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("processing")]);

    assert_eq!(release(&operator, None, &[id]).await, [status("pending")]);
    assert_eq!(stage.seen(id).await, Seen::waiting("pending", 1, 3, 0));
    stage.one_place_each().await;
    assert_eq!(stage.extend(&job, "30 s").await, (false, false), "its lease is over");
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::REFUSED);
    assert_eq!(stage.history(id).await, [], "nothing failed");

    let again = stage.claim().await;
    assert_eq!((again.id, again.attempts, again.attempts_left, again.lost), (id, 2, 3, 0));
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::REFUSED);
    assert_eq!(settle(&stage.worker, &again, "complete").await, Settled::as_status("completed"));
    assert_eq!(release(&operator, None, &[id]).await, [status("completed")], "it runs no more");
}

#[tokio::test]
async fn a_job_that_was_asked_to_stop_ends_as_cancelled_when_it_is_released() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let id = stage.job(3).await;
    claim(&stage, "gone").await;
    assert_eq!(stage.change("cancel_jobs", &[id]).await, [status("processing")]);
    assert_eq!(release(&operator, Some(tenant(1)), &[id]).await, [status("cancelled")]);
    assert_eq!(stage.seen(id).await, Seen::ended("cancelled", 1));
    stage.one_place_each().await;
}

#[tokio::test]
async fn only_what_runs_is_released_and_only_the_tenants_that_is_named() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let foreign = dispatch(&stage.producer, tenant(2), "mail").await;
    claim(&stage, "gone").await;
    let waiting = stage.job(3).await;
    let nobody = Uuid::from_u128(3);
    let answer = release(&operator, Some(tenant(1)), &[waiting, foreign, nobody]).await;
    assert_eq!(answer, [status("pending"), None, None]);
    assert_eq!(stage.seen(foreign).await.status, "processing");
    // a producer's and a worker's rights do not reach that far
    for session in [&stage.producer, &stage.worker] {
        let sql = "select fairclaim.release_jobs($1, array[$2::uuid])";
        refused(session.query(sql, &[&tenant(2), &foreign]).await, "42501");
        refused(session.query("select fairclaim.release_worker('gone')", &[]).await, "42501");
    }
    let answer = release(&operator, None, &[foreign, waiting]).await;
    assert_eq!(answer, [status("pending"), status("pending")]);
}

#[tokio::test]
async fn all_that_a_worker_holds_is_released_in_steps_and_nothing_of_another() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for n in 0..7 {
        dispatch(&stage.producer, tenant(1 + n % 3), "mail").await;
        let (name, list) = if n < 5 { ("gone", &mut gone) } else { ("other", &mut kept) };
        list.push(claim(&stage, name).await.id);
    }
    stage.change("cancel_jobs", &gone[..1]).await;
    let (mut released, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let some = release_worker(&operator, "gone", 2).await;
        steps.push(some.len());
        released.extend(some);
    }
    assert_eq!(steps, [2, 2, 1, 0]);
    released.sort();
    gone.sort_unstable();
    assert_eq!(released.iter().map(|(id, _)| *id).collect::<Vec<_>>(), gone);
    assert_eq!(released.iter().filter(|(_, status)| status == "cancelled").count(), 1);
    for id in kept {
        assert_eq!(stage.seen(id).await.status, "processing");
    }
    stage.one_place_each().await;
}

#[tokio::test]
async fn a_job_that_is_being_settled_is_left_to_whoever_does_it() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let id = stage.job(3).await;
    claim(&stage, "w").await;
    let mut other = stage.db.direct_session("test_worker").await;
    let open = other.transaction().await.expect("begin");
    let token = "select lease_token from fairclaim_internal.running where id = $1";
    let token: Uuid = stage.owner.query_one(token, &[&id]).await.expect("running").get(0);
    let settle = "select kind = 'settled' from fairclaim.settle_jobs('w', array[$1::uuid], array[1], array[$2::uuid], '{complete}')";
    let row = open.query_one(settle, &[&id, &token]).await.expect("settle_jobs");
    assert!(row.get::<_, bool>(0));
    // answers at once: it waits for no transaction
    assert_eq!(release(&operator, None, &[id]).await, [status("processing")]);
    assert_eq!(release_worker(&operator, "w", 10).await, []);
    open.commit().await.expect("commit");
    assert_eq!(stage.seen(id).await, Seen::ended("completed", 1));
    stage.one_place_each().await;
}
