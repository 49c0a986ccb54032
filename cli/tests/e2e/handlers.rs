//! Handlers as child processes: what they are told, what their answers mean, how they end.

use std::time::{Duration, Instant};

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::json;

use crate::support::{Place, runs, start, stderr, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_decide_what_happens_next() {
    use Status::{Completed, Failed, Scheduled};

    let place = Place::installed().await;
    let mut jobs = Vec::new();
    for job_type in ["fine", "text", "hopeless", "later", "nap", "odd", "killed"] {
        jobs.push(place.dispatch(job_type, 1).await[0]);
    }
    let output = place
        .fairclaim([
            "work",
            "--drain",
            "--exec",
            "fine=echo '{\"sent\": 3}'",
            "--exec",
            "text=echo all done",
            "--exec",
            "hopeless=echo 'no such user' >&2; exit 65",
            "--exec",
            "later=echo 600; exit 75",
            "--exec",
            "nap=echo 900; exit 99",
            "--exec",
            "odd=exit 3",
            "--exec",
            "killed=kill -9 $$",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    let mut rows = Vec::new();
    for id in jobs {
        rows.push(place.job(id).await);
    }
    let statuses: Vec<Status> = rows.iter().map(|row| row.status).collect();
    assert_eq!(
        statuses,
        [Completed, Completed, Failed, Scheduled, Scheduled, Scheduled, Scheduled]
    );
    assert_eq!(rows[0].result, Some(json!({"sent": 3})));
    assert_eq!(rows[1].result, Some(json!("all done")));
    let error = rows[2].error.clone().unwrap();
    assert_eq!((&error["code"], &error["trace"]), (&json!("exit_65"), &json!("no such user")));
    let waits =
        |n: usize| rows[n].next_retry_at.unwrap().duration_since(rows[n].created_at).unwrap();
    assert!((600..660).contains(&waits(3).as_secs()), "{:?}", waits(3));
    assert!((900..960).contains(&waits(4).as_secs()), "{:?}", waits(4));
    assert!((10..60).contains(&waits(5).as_secs()), "{:?}", waits(5));
    assert_eq!(rows[6].errors.as_ref().unwrap()[0]["error"]["code"], "signal_9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_knows_whom_it_works_for() {
    let place = Place::installed().await;
    let id = place.dispatch("who", 1).await[0];
    let script = "who=printf '\"%s %s %s %s %s\"' $FAIRCLAIM_JOB_ID $FAIRCLAIM_TENANT_ID $FAIRCLAIM_ATTEMPT \
                  $FAIRCLAIM_TYPE $FAIRCLAIM_QUEUE";
    place.run(["work", "--drain", "--exec", script]);
    let tenant = Tenant::named("acme").unwrap();
    assert_eq!(place.job(id).await.result, Some(json!(format!("{id} {tenant} 1 who default"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_the_whole_process_group() {
    let place = Place::installed().await;
    let file = place.server.directory().with_extension("pids");
    let dispatch = Dispatch::raw(Tenant::named("acme").unwrap(), "slow", json!({})).unwrap();
    let id = place
        .client
        .dispatch(dispatch.timeout(Duration::from_secs(1)).max_attempts(1))
        .await
        .unwrap();
    let script = format!("slow=sleep 300 & echo $! > {}; sleep 300", file.display());
    let started = Instant::now();
    place.run(["work", "--drain", "--exec", &script]);
    assert!(started.elapsed() < Duration::from_secs(60), "waited for the command");
    assert_eq!(place.job(id).await.status, Status::Failed);
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    wait_for("the command's background process outlived the attempt", || !runs(&pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_its_command() {
    let place = Place::installed().await;
    let id = place.dispatch("slow", 1).await[0];
    let worker = start(&mut place.fairclaim([
        "work",
        "--drain",
        "--lease",
        "3s",
        "--exec",
        "slow=sleep 300",
    ]));
    place.until(Status::Processing, 1).await;
    place.client.cancel(None, &[id]).await.unwrap();
    assert!(worker.end().status.success());
    assert_eq!(place.job(id).await.status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_lets_commands_finish_and_gives_the_rest_back() {
    let place = Place::installed().await;
    place.dispatch("slow", 40).await;
    let worker = start(&mut place.fairclaim([
        "work",
        "--queue",
        "default:2",
        "--grace",
        "30s",
        "--exec",
        "slow=sleep 1; echo done",
    ]));
    place.until(Status::Completed, 2).await;
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    let (completed, pending) =
        (place.count(Status::Completed).await, place.count(Status::Pending).await);
    assert_eq!(place.count(Status::Processing).await, 0, "something is still held");
    assert_eq!(completed + pending, 40);
    assert!(pending > 0, "nothing was left to give back");
    // none of it counts as a failure: a second worker completes everything
    place.run(["work", "--drain", "--queue", "default:40", "--exec", "slow=true"]);
    assert_eq!(place.count(Status::Completed).await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_grace_period_is_over_commands_are_ended_and_their_jobs_given_back() {
    let place = Place::installed().await;
    let id = place.dispatch("slow", 1).await[0];
    let worker = start(&mut place.fairclaim(["work", "--grace", "1s", "--exec", "slow=sleep 300"]));
    place.until(Status::Processing, 1).await;
    worker.signal("INT");
    assert!(worker.end().status.success());
    let row = place.job(id).await;
    assert!(!row.status.is_final() && row.status != Status::Processing, "{:?}", row.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_everything_at_once() {
    let place = Place::installed().await;
    let file = place.server.directory().with_extension("pids");
    place.dispatch("slow", 1).await;
    let script = format!("slow=trap '' TERM; echo $$ > {}; sleep 300", file.display());
    let worker = start(&mut place.fairclaim(["work", "--grace", "5m", "--exec", &script]));
    wait_for("the command did not start", || {
        std::fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n'))
    });
    worker.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let signalled = Instant::now();
    worker.signal("TERM");
    let output = worker.end();
    assert!(signalled.elapsed() < Duration::from_secs(10), "it was not at once");
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    wait_for("the command outlived its worker", || !runs(&pid));
}
