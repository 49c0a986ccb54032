//! Handlers as child processes: what they are told, what their answers mean, how they end.

mod means;

use std::time::Duration;

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::support::{TestServer, fairclaim, runs, start, stderr, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_decide_what_happens_next() {
    use Status::{Completed, Failed, Scheduled};

    let server = TestServer::installed().await;
    let mut jobs = Vec::new();
    for job_type in ["fine", "text", "hopeless", "later", "nap", "odd", "killed"] {
        jobs.push(server.dispatch(job_type, 1).await[0]);
    }
    let output = server
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
        rows.push(server.job(id).await);
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
    let server = TestServer::installed().await;
    let id = server.dispatch("who", 1).await[0];
    let script = "who=printf '\"%s %s %s %s %s\"' $FAIRCLAIM_JOB_ID $FAIRCLAIM_TENANT_ID $FAIRCLAIM_ATTEMPT \
                  $FAIRCLAIM_TYPE $FAIRCLAIM_QUEUE";
    server.run(["work", "--drain", "--exec", script]);
    let tenant = Tenant::named("acme").unwrap();
    assert_eq!(server.job(id).await.result, Some(json!(format!("{id} {tenant} 1 who default"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_the_whole_process_group() {
    let server = TestServer::installed().await;
    let file = server.postgres.directory().with_extension("pids");
    let dispatch = Dispatch::raw(Tenant::named("acme").unwrap(), "slow", json!({})).unwrap();
    let id = server
        .client
        .dispatch(dispatch.timeout(Duration::from_secs(1)).max_attempts(1))
        .await
        .unwrap();
    let script = format!("slow=sleep 300 & echo $! > {}; sleep 300", file.display());
    // ends long before the command would; a worker that waited for it is given up
    let worker = start(&mut server.fairclaim(["work", "--drain", "--exec", &script])).end();
    assert!(worker.status.success(), "{}", stderr(&worker));
    assert_eq!(server.job(id).await.status, Status::Failed);
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    wait_for("the command's background process outlived the attempt", || !runs(&pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_its_command() {
    let server = TestServer::installed().await;
    let id = server.dispatch("slow", 1).await[0];
    let worker = start(&mut server.fairclaim([
        "work",
        "--drain",
        "--lease",
        "3s",
        "--exec",
        "slow=sleep 300",
    ]));
    server.until(Status::Processing, 1).await;
    server.client.cancel(None, &[id]).await.unwrap();
    assert!(worker.end().status.success());
    assert_eq!(server.job(id).await.status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_lets_commands_finish_and_gives_the_rest_back() {
    let server = TestServer::installed().await;
    server.dispatch("slow", 40).await;
    let worker = start(&mut server.fairclaim([
        "work",
        "--queue",
        "default:2",
        "--grace",
        "30s",
        "--exec",
        "slow=sleep 1; echo done",
    ]));
    server.until(Status::Completed, 2).await;
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    let (completed, pending) =
        (server.count(Status::Completed).await, server.count(Status::Pending).await);
    assert_eq!(server.count(Status::Processing).await, 0, "something is still held");
    assert_eq!(completed + pending, 40);
    assert!(pending > 0, "nothing was left to give back");
    // none of it counts as a failure: a second worker completes everything
    server.run(["work", "--drain", "--queue", "default:40", "--exec", "slow=true"]);
    assert_eq!(server.count(Status::Completed).await, 40);
}

/// How many attempts of a waiting job may still fail.
async fn attempts_left(server: &TestServer, id: Uuid) -> i16 {
    let url = server.postgres.superuser_url("app");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "select attempts_left from fairclaim_internal.ready where id = $1
               union all select attempts_left from fairclaim_internal.scheduled where id = $1";
    client.query_one(sql, &[&id]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_grace_period_is_over_commands_are_ended_and_use_no_attempt_up() {
    let server = TestServer::installed().await;
    let mut ids = server.dispatch("slow", 1).await;
    ids.extend(server.dispatch("deaf", 1).await);
    let worker = start(&mut server.fairclaim([
        "work",
        "--grace",
        "1s",
        "--exec",
        "slow=sleep 300",
        "--exec",
        "deaf=trap '' TERM; sleep 300",
    ]));
    server.until(Status::Processing, 2).await;
    worker.signal("INT");
    assert!(worker.end().status.success());
    for id in ids {
        let row = server.job(id).await;
        assert_eq!((row.status, row.attempts, row.errors), (Status::Pending, 1, None));
        assert_eq!(attempts_left(&server, id).await, 2, "of the two that it was dispatched with");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_given_back_while_its_command_still_cleans_up() {
    let server = TestServer::installed().await;
    let file = server.postgres.directory().with_extension("clean");
    let id = server.dispatch("slow", 1).await[0];
    let script = format!(
        "slow=trap 'sleep 3; echo cleaned > {}; echo 600; exit 99' TERM; while :; do sleep 0.1; done",
        file.display()
    );
    let worker = start(&mut server.fairclaim(["work", "--grace", "1s", "--exec", &script]));
    server.until(Status::Processing, 1).await;
    worker.signal("TERM");
    assert!(worker.end().status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "cleaned\n");
    std::fs::remove_file(&file).unwrap();
    // its own answer counts: it wants to go on later
    assert_eq!(server.job(id).await.status, Status::Scheduled);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_payload_reaches_the_log_however_much_is_logged() {
    let server = TestServer::installed().await;
    let dispatch = ["dispatch", "--tenant", "acme", "--type", "echo", "--payload"];
    let document = "{\"marked\": \"PAYLOAD-4711\"}";
    for args in
        [[&dispatch[..], &[document]].concat(), ["work", "--drain", "--exec", "echo=cat"].to_vec()]
    {
        let output = server.fairclaim(args).env("RUST_LOG", "trace").output().unwrap();
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("4711"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_json_the_database_takes_can_be_dispatched_run_and_shown() {
    let server = TestServer::installed().await;
    let deep = "[".repeat(128) + &"]".repeat(128);
    let precise = "{\"n\": 0.10000000000000000001, \"all\": [1, null]}";
    for payload in [deep.as_str(), precise, "1e400"] {
        let dispatch = ["dispatch", "--tenant", "acme", "--type", "size", "--payload", payload];
        let id = server.run(dispatch);
        server.run(["work", "--drain", "--exec", "size=cat >&2; exit 0"]);
        let shown = server.run(["jobs", "show", id.trim(), "--json"]);
        let all: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&shown).unwrap();
        assert_eq!(all["status"].get(), "\"completed\"");
        let digits = |text: &str| text.replace([' ', '\n'], "");
        // the database writes 1e400 out
        let expected =
            if payload == "1e400" { "1".to_owned() + &"0".repeat(400) } else { digits(payload) };
        assert_eq!(sorted(&digits(all["payload"].get())), sorted(&expected));
        assert!(server.run(["jobs", "show", id.trim()]).contains("payload"));
    }
}

/// The database orders the keys of an object its own way.
fn sorted(text: &str) -> Vec<char> {
    let mut characters: Vec<char> = text.chars().collect();
    characters.sort_unstable();
    characters
}

#[test]
fn a_signal_ends_a_worker_that_cannot_connect_yet() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://app@{address}/app?connect_timeout=300");
    let worker =
        start(&mut fairclaim(["work", "--exec", "slow=true", "--database-url", url.as_str()]));
    let connection = silent.accept().unwrap();
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_worker_that_waits_for_the_last_commands() {
    let server = TestServer::installed().await;
    let file = server.postgres.directory().with_extension("deaf");
    let dispatch = Dispatch::raw(Tenant::named("acme").unwrap(), "deaf", json!({})).unwrap();
    server.client.dispatch(dispatch.timeout(Duration::from_secs(1)).max_attempts(1)).await.unwrap();
    let script = format!("deaf=trap '' TERM; echo $$ > {}; sleep 300", file.display());
    // its attempt times out, the queue is empty then, and the command has its 5 s to end
    let worker = start(&mut server.fairclaim(["work", "--drain", "--exec", &script]));
    server.until(Status::Failed, 1).await;
    worker.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.signal("TERM");
    let output = worker.end();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    wait_for("the command outlived its worker", || !runs(&pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_everything_at_once() {
    let server = TestServer::installed().await;
    let file = server.postgres.directory().with_extension("pids");
    server.dispatch("slow", 1).await;
    let script = format!("slow=trap '' TERM; echo $$ > {}; sleep 300", file.display());
    let worker = start(&mut server.fairclaim(["work", "--grace", "5m", "--exec", &script]));
    wait_for("the command did not start", || {
        std::fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n'))
    });
    worker.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.signal("TERM");
    // it is waited for less long than its grace and its command last
    let output = worker.end();
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    wait_for("the command outlived its worker", || !runs(&pid));
}
