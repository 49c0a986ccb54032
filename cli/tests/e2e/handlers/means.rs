//! A worker and what is around it: signals, its shell, its files, a database that takes no writes.
//! And what goes through it whole.

use std::time::Duration;

use fairclaim::Status;
use serde_json::json;
use serde_json::value::RawValue;

use crate::support::{TestServer, start, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_ends_a_worker_as_sigterm_does() {
    let server = TestServer::installed().await;
    let id = server.dispatch("slow", 1).await[0];
    let worker = start(&mut server.fairclaim(["work", "--exec", "slow=sleep 2; echo done"]));
    server.until(Status::Processing, 1).await;
    worker.signal("HUP");
    // a terminal may say it twice, and that is no wish for an end at once
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.signal("HUP");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(server.job(id).await.result, Some(json!("done")), "it was not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_nohup_started_outlives_a_hangup() {
    let server = TestServer::installed().await;
    let program = env!("CARGO_BIN_EXE_fairclaim");
    let mut command = std::process::Command::new("sh");
    command.env("DATABASE_URL", &server.url);
    command.args(["-c", &format!("trap '' HUP; exec {program} work --exec slow=true")]);
    let worker = start(&mut command);
    let first = server.dispatch("slow", 1).await[0];
    server.until(Status::Completed, 1).await;
    worker.signal("HUP");
    let second = server.dispatch("slow", 1).await[0];
    server.until(Status::Completed, 2).await;
    assert_ne!(first, second);
    worker.signal("TERM");
    assert!(worker.end().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_shell_ends_before_it_claims_anything() {
    let server = TestServer::installed().await;
    let id = server.dispatch("fine", 1).await[0];
    let output =
        server.fairclaim(["work", "--exec", "fine=true"]).env("PATH", "/nonexistent").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("error: sh cannot be used") && said.contains("hint: "), "{said}");
    assert_eq!((server.job(id).await.attempts, server.job(id).await.status), (0, Status::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_short_of_files_charges_no_job_for_it_and_completes_them_all() {
    const JOBS: usize = 60;
    let server = TestServer::installed().await;
    let ids = server.dispatch("slow", JOBS).await;
    let program = env!("CARGO_BIN_EXE_fairclaim");
    let script = format!(
        "ulimit -n 60; exec {program} work --queue default:50 --exec slow='sleep 0.2; echo done'"
    );
    let mut command = std::process::Command::new("sh");
    let worker = start(command.env("DATABASE_URL", &server.url).args(["-c", &script]));
    server.until(Status::Completed, JOBS).await;
    worker.signal("TERM");
    let said = stderr(&worker.end());
    assert!(said.contains("short of its own means") && said.contains("ulimit"), "{said}");
    for id in ids {
        let row = server.job(id).await;
        assert_eq!((row.status, row.errors), (Status::Completed, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_digit_of_a_number_goes_the_whole_way_and_back() {
    let server = TestServer::installed().await;
    let numbers = [
        "\"big\": 123456789012345678901234567890",
        "\"dec\": 0.1000000000000000055511151231257827",
        "\"money\": 1.10",
        "\"u64\": 18446744073709551615",
    ];
    let document = format!("{{{}}}", numbers.join(", "));
    let dispatch = ["dispatch", "--tenant", "acme", "--type", "echo", "--payload", &document];
    let id = server.run(dispatch);
    server.run(["work", "--drain", "--exec", "echo=cat"]);
    let shown = server.run(["jobs", "show", id.trim(), "--json"]);
    let all: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&shown).unwrap();
    for part in ["payload", "result"] {
        for number in numbers {
            assert!(
                all[part].get().replace(": ", ":").contains(&number.replace(": ", ":")),
                "{part}: {shown}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_of_no_time_is_no_hot_loop() {
    let server = TestServer::installed().await;
    let id = server.dispatch("nap", 1).await[0];
    let worker = start(&mut server.fairclaim([
        "work",
        "--exec",
        "nap=[ $FAIRCLAIM_ATTEMPT -ge 4 ] || { echo 0; exit 99; }",
    ]));
    server.until(Status::Completed, 1).await;
    worker.signal("TERM");
    worker.end();
    let row = server.job(id).await;
    let took = row.completed_at.unwrap().duration_since(row.created_at).unwrap();
    // three pauses by the database's clock: a bound of the rule, and none of the machine
    assert!(row.attempts == 4 && took >= Duration::from_millis(300), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_may_not_write_ends_and_says_why() {
    let server = TestServer::installed().await;
    let drain = || server.fairclaim(["work", "--drain", "--exec", "fine=true"]).output().unwrap();
    let superuser = async |sql: &str| {
        server.postgres.execute_as_superuser("app", sql).await.unwrap();
    };
    superuser("alter role app set default_transaction_read_only = on").await;
    let output = drain();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("reset default_transaction_read_only"), "{}", stderr(&output));

    superuser("alter role app reset default_transaction_read_only").await;
    superuser("copy (select) to program 'cat > standby.signal'").await;
    server.postgres.restart().await.unwrap();
    let output = drain();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("standby"), "{}", stderr(&output));
}
